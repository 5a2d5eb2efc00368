"""Read the number at a place of a judge's reply: a score on the scale that was asked for, or why it is none."""

import re
from typing import NamedTuple

MARKS = r"[\s*_`\"'“”„«»#\[({<>$（【「]{0,12}"  # that may stand before an answer: bold marks, quotes, brackets
ENDS = r"[ \t*_`\"'“”„«»\])}>$）】」]{0,6}"  # and behind it, in its line
RANGE = r"(?:[-–—~～→]|->|\.\.\.?|…|to\b|or\b|and\b|bis\b|oder\b|und\b|et\b|ou\b|à|y\b|o\b|至|到|或|和)"
_WORDS = {"three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10, "hundred": 100}
_NUMBER = re.compile(rf"{MARKS}\+?(?P<found>-?\d{{1,4}}(?:\.\d{{1,6}}|,\d{{1,2}})?)", re.IGNORECASE)
# Behind a number: another letter or digit (1O, 7½, 8th), a percentage, a sum, a doubt. "8分" and "8pts" are numbers.
_GOES_ON = re.compile(
    r"(?!(?:分|点|點|점|pts?\b|points?\b|/))(?:[^\W_]|[.,:]\d|\s?[%％‰°+?？×^]|\s?(?:percent|per\s?cent|prozent|pct|times)\b"
    r"|\sof\s(?!\d|a\s(?:possible|maximum))|[ \t](?:\d|would\b|could\b|might\b|if\b)"
    r"|[-–](?=[\s*_)\]]|$))",
    re.IGNORECASE | re.MULTILINE,
)
_SPAN = re.compile(
    rf"{ENDS}(?:{RANGE}|[,;，、]\s?(?:(?:maybe|perhaps|possibly|or)\s{{1,2}}(?:an?\s)?)?"
    r"|\(?(?:maybe|perhaps|possibly)\s(?:an?\s)?)[ \t*_`\"'(]{0,4}\d",
    re.IGNORECASE,
)
_OUT_OF = re.compile(
    rf"{ENDS}(?:分|点|\s?stars?|\s?points?|\s?pts)?\s?[(（]?(?:/|／|out\s{{1,3}}of|of(?=\s{{1,3}}\d)|von|sur|de(?=\s{{1,3}}\d)|su(?=\s{{1,3}}\d)"
    r"|[（(]?满分|[（(]?滿分)(?:\s{1,3}(?:a|the|possible|maximum|of|total)\b){0,4}[ \t*_]{0,4}"
    r"(?P<out_of>\d{1,4}(?:[.,]\d{1,2})?(?![\d.,]?\d|\s?/\s?\d)|(?:five|ten|hundred)\b)",
    re.IGNORECASE,
)
_FRACTION = re.compile(rf"{ENDS}/\s?\d")
# A doubt, a bound or a sum behind a number: "or higher", "at most", "± 1", "minus 3", "(deducting 3 for errors)".
_NUMERAL = r"(?:\d|an?\s|one\b|two\b|three\b|half\b)"
_HEDGE = re.compile(
    rf"{ENDS}[,(（]?\s?(?:±|\+\s?/\s?-|[−+×*/÷]\s?\d|(?:or|and)\s(?:a\s)?(?:bit\s)?(?:higher|above|more|less|lower|below|so|better|fewer"
    r"|worse|up|under|over|maybe|possibly|even|thereabouts)\b|at\s(?:the\s)?(?:very\s)?(?:most|best|least|worst)\b|(?:minimum|maximum|max|min|tops|ish)\b"
    r"(?!\.?\s?(?:score|of|is|points?|\d))|(?:minus|plus|less|deduct\w{0,3}|subtract\w{0,3}|after\sdeduct\w{0,3}|before\sdeduct\w{0,3})\s"
    rf"{_NUMERAL}|(?:uncertain|unsure|not\ssure|give\sor\stake|approximately|approx|roughly|but\s(?:could|might|may|would|should)"
    r"|could|might|may|should|would|maybe|perhaps|possibly|if|unless)\b)",
    re.IGNORECASE,
)
_INNER_RANGE = re.compile(
    rf"{ENDS}[(（\[][^()（）\n]{{0,30}}?\b\d{{1,3}}\s?(?:[-–—~]|to\s)\s?\d{{1,3}}\b", re.IGNORECASE
)
_OTHER_PART = re.compile(
    rf"{ENDS}\([^()\d\n]{{1,30}}\)\s?(?:[,;/&+]|and\b)?\s?\d{{1,3}}(?:\.\d)?\s?(?:$|[(/,;.])",
    re.IGNORECASE | re.MULTILINE,
)
# A scale that is named beside a score, by its highest number; the one that was asked for was blanked before.
_TOP = r"(?P<top>-?\d{1,4}|five|ten|hundred|four|six|seven|three)"
_SCALES = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"scale\s{{1,3}}(?:(?:of|from|is)\s{{1,3}})?-?\d{{1,4}}\s{{0,2}}(?:[-–—~]|to\b)\s{{0,2}}{_TOP}",
        rf"\b\d{{1,4}}\s{{0,2}}(?:[-–—~]|to\b)\s{{0,2}}{_TOP}\s(?:point\s)?(?:scale|range)\b",
        rf"\b{_TOP}[\s-]points?\s(?:\w{{3,10}}\s)?scale\b",
        rf"\b{_TOP}\s(?:is|being|=|meaning|means)\s(?:the\s)?(?:best|highest|top|perfect|excellent|max\w{{0,4}})\b(?!\s\w)",
    )
]
_MOST = re.compile(
    rf"{ENDS}[,(（\[]?\s?(?:(?:with|of|on|and|the|a)\s){{0,3}}(?:max(?:imum)?|highest|best|top|possible)\b\D{{0,20}}?{_TOP}",
    re.IGNORECASE,
)
_SCALE_BEHIND = re.compile(
    rf"{ENDS}[(\[（]\s{{0,2}}\d{{1,4}}\s{{0,2}}(?:[-–—~]|to\b)\s{{0,2}}\d{{1,4}}\s{{0,2}}[)\]）]"
)


class Number(NamedTuple):
    """A number of a reply.

    Attributes:
        value: The score, or None.
        text: Its text.
        start: Where that begins.
        end: Where the number ends, with "/10" and the like.
        problem: Why it is no score, or None.
        whole: Whether it says what it is out of.
    """

    value: float | None
    text: str
    start: int
    end: int
    problem: str | None = None
    whole: bool = False


def read_number(text: str, at: int, low: int, high: int) -> Number | None:
    """Return the number that begins at a place, behind marks such as ``**``; None where there is none.

    No score are a number that goes on as a word, a fraction or a percentage, a range or a choice of two numbers, a
    number out of another one than ``high``, beside another scale, or outside the scale.

    Args:
        text: The reply; where it names the scale that was asked for, that is blanked.
        at: The place.
        low: Lowest score of the scale.
        high: Highest score of the scale.
    """
    found = _NUMBER.match(text, at)
    if found is None:
        return None
    start, end = found.span("found")
    out_of = None
    if _GOES_ON.match(text, end):
        problem: str | None = "expected a whole score"
    else:
        out_of = _OUT_OF.match(text, end)
        end = out_of.end() if out_of else end
        most = out_of and float(_WORDS.get(out_of["out_of"].lower(), 0) or out_of["out_of"].replace(",", "."))
        problem = "of another scale" if most is not None and most != high else None
        if problem is None and (_is_bounded(text, at, start, end) or _HEDGE.match(text, end)):
            problem = "expected one number"  # "<8", "8 or more"
        elif problem is None and out_of is None and _FRACTION.match(text, end):
            problem = "of another scale"
        elif problem is None and (_SPAN.match(text, end) or (out_of and _GOES_ON.match(text, end))):
            problem = "expected one number"
        elif problem is None and (_SCALE_BEHIND.match(text, end) or _of_another_scale(text, start, end, high)):
            problem = "of another scale"
        elif problem is None and (_INNER_RANGE.match(text, end) or _OTHER_PART.match(text, end)):
            problem = "expected one number"
    value = float(found["found"].replace(",", "."))
    if problem is None and not low <= value <= high:
        problem = "outside the scale"
    return Number(None if problem else value, found["found"], start, end, problem, out_of is not None)


def _is_bounded(text: str, at: int, start: int, end: int) -> bool:
    """Return whether a "<" or ">" before a number is a bound, not a bracket or the mark of a quoted line."""
    before = text[at:start].rstrip(" ")
    if not before.endswith(("<", ">")) or text[end : end + 1] == ">":
        return False
    line = text[text.rfind("\n", 0, start) + 1 : start].strip(" ")
    return before[-1] == "<" or line != ">"


def _of_another_scale(text: str, start: int, end: int, high: int) -> bool:
    """Return whether a scale is named beside a number, with another highest number than ``high``."""
    line = _line_of(text, start, end)
    tops = [found["top"] for form in _SCALES for found in form.finditer(line)]
    most = _MOST.match(text, end)
    tops += [most["top"]] if most else []
    return any(_WORDS.get(top.lower(), top) not in (high, str(high)) for top in tops)


def _line_of(text: str, start: int, end: int) -> str:
    """Return the line that a number stands in, or a part of a long one."""
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[max(first, start - 200) : min(len(text) if last < 0 else last, end + 200)]
