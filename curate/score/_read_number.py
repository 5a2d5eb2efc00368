"""Read the number at a place of a judge's reply: a score on the scale that was asked for, or why it is none."""

import re
from typing import NamedTuple

MARKS = r"[\s*_`\"'“”„«»#\[({<>$（【「]{0,12}"  # that may stand before an answer: bold marks, quotes, brackets
ENDS = r"[ \t*_`\"'“”„«»\])}>$）】」]{0,6}"  # and behind it, in its line
RANGE = r"(?:[-–—~～→]|->|\.\.\.?|…|to\b|or\b|and\b|bis\b|oder\b|und\b|et\b|ou\b|à|y\b|o\b|至|到|或|和)"
_WORDS = {"five": 5, "ten": 10, "hundred": 100}
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
# A scale that is named beside a score; the one that was asked for was blanked before.
_SCALE = re.compile(r"scale\s{1,3}(?:of|from)\s{1,3}-?\d{1,4}\s{0,2}(?:[-–—~]|to\b)", re.IGNORECASE)
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
        if problem is None and start > at and text[start - 1] in "<>" and text[end : end + 1] != ">":
            problem = "expected one number"  # "<8"
        elif problem is None and out_of is None and _FRACTION.match(text, end):
            problem = "of another scale"
        elif problem is None and (_SPAN.match(text, end) or (out_of and _GOES_ON.match(text, end))):
            problem = "expected one number"
        elif problem is None and (_SCALE_BEHIND.match(text, end) or _SCALE.search(_line_of(text, start, end))):
            problem = "of another scale"
    value = float(found["found"].replace(",", "."))
    if problem is None and not low <= value <= high:
        problem = "outside the scale"
    return Number(None if problem else value, found["found"], start, end, problem, out_of is not None)


def _line_of(text: str, start: int, end: int) -> str:
    """Return the line that a number stands in, or a part of a long one."""
    first, last = text.rfind("\n", 0, start) + 1, text.find("\n", end)
    return text[max(first, start - 200) : min(len(text) if last < 0 else last, end + 200)]
