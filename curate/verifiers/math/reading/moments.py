"""Dates and times of day."""

import re
from typing import NamedTuple

NAMES = "january february march april may june july august september october november december".split()
MONTHS = (
    {name: at for at, name in enumerate(NAMES, 1)} | {name[:3]: at for at, name in enumerate(NAMES, 1)} | {"sept": 9}
)
DAYS = {name[:3]: name for name in "monday tuesday wednesday thursday friday saturday sunday".split()}
MONTH = "(" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?"
DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
WEEKDAY = re.compile(r"^(?:on )?(?:(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(?:the )?")
FORMS = [
    (re.compile(rf"{MONTH} {DAY}(?:,? (\d{{4}}))?"), "mdy"),
    (re.compile(rf"{DAY}(?: of)? {MONTH}(?:,? (\d{{4}}))?"), "dmy"),
    (re.compile(rf"{MONTH},? (\d{{4}})"), "my"),
    (re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})"), "ymd"),
    (re.compile(r"(\d{4}) ?年 ?(\d{1,2}) ?月 ?(\d{1,2}) ?日"), "ymd"),
    (re.compile(r"(\d{1,2}) ?月 ?(\d{1,2}) ?日"), "md"),
    (re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})"), "??y"),
]
TIME = re.compile(
    r"(?:at )?(\d{1,2})(?: ?: ?(\d{2}))?(?: ?: ?(\d{2}))? ?"
    r"(?:([ap])\.? ?m\.?|o'?clock)?(?: in the (morning|afternoon|evening))?"
)


class Moment(NamedTuple):
    """A date or a time of day; None for what is not said."""

    kind: str
    year: int | None = None
    month: int | None = None
    day: int | None = None
    seconds: int | None = None  # since midnight, or since noon or midnight where ``half`` is not said
    half: str | None = None  # "a", "p", or None where it is not said
    weekday: str | None = None


def read_moments(text: str) -> list[Moment]:
    """Return the date or time that a text is, or both readings of 5/4/2020; an empty list for any other text."""
    text = text.lower().strip()
    if not any(sign.isdigit() for sign in text):
        return [_time(12, 0, 0, half) for name, half in (("noon", "p"), ("midnight", "a")) if text == name]
    return _dates(text) or _times(text)


def _dates(text: str) -> list[Moment]:
    found_day = WEEKDAY.match(text)
    weekday = DAYS.get(found_day[1]) if found_day and found_day[1] else None
    rest = text[found_day.end() :] if found_day else text
    for pattern, order in FORMS:
        if found := pattern.fullmatch(rest):
            moments = [_date(found, form, weekday) for form in ((order,) if order != "??y" else ("mdy", "dmy"))]
            return [moment for moment in dict.fromkeys(moments) if moment]
    return []


def _date(found: re.Match[str], order: str, weekday: str | None) -> Moment | None:
    parts = {what: value for what, value in zip(order, found.groups(), strict=True) if value}
    month = MONTHS.get(parts["m"]) or int(parts["m"])
    day = int(parts["d"]) if "d" in parts else None
    if not 1 <= month <= 12 or (day is not None and not 1 <= day <= 31):
        return None
    return Moment("date", int(parts["y"]) if "y" in parts else None, month, day, weekday=weekday)


def _times(text: str) -> list[Moment]:
    found = TIME.fullmatch(text)
    if not found or not (found[2] or found[4] or found[5] or "clock" in text):
        return []
    hour, minute, second = int(found[1]), int(found[2] or 0), int(found[3] or 0)
    half = found[4] or (found[5] and ("a" if found[5] == "morning" else "p"))
    if hour > 24 or minute > 59 or second > 59 or (half and not 1 <= hour <= 12):
        return []
    if half is None and (hour > 12 or hour == 0 or found[1].startswith("0")):
        half = "a" if hour % 24 < 12 else "p"
    return [_time(hour, minute, second, half)]


def _time(hour: int, minute: int, second: int, half: str | None) -> Moment:
    return Moment("time", seconds=(hour % 12) * 3600 + minute * 60 + second, half=half)


def same_moment(left: Moment, right: Moment) -> bool | None:
    """Tell whether two moments are the same; None where one says less than the other and they may be."""
    if left.kind != right.kind:
        return False
    pairs = [pair for pair in zip(left, right, strict=True) if None not in pair]
    if any(one != other for one, other in pairs):
        return False
    return True if left._replace(weekday=None) == right._replace(weekday=None) else None
