r"""Parse a judge's reply: read its score, or which of two responses it finds better.

Models of all sizes write these in many forms. Only the least ambiguous form that a reply uses is read. Of a score:

1. ``[[8]]``, ``\boxed{8}``;
2. ``Score: 8``, ``**Rating:** 8/10``, ``{"score": 8}``, ``<score>8</score>``, ``评分：8``;
3. ``8/10``, ``8 out of 10``;
4. ``I'd rate this 7.5``, ``a score of 8``;
5. a line, or the whole reply, that is a number;

And of a verdict: ``[[A]]``; ``Verdict: A``, ``{"winner": "A"}``; ``Response A is better``; a line that is a letter.

If the form is used several times, the last one counts if the judge explains itself first, else the first. The line in
which the score was asked for (the last or the first) is searched before all others: elsewhere a judge may quote what it
judges. Nothing is guessed: a score of another scale ("4/5" for 1 to 10, "80%"), a range ("7-8") and a number outside
the scale are no score.
"""

import re
from typing import NamedTuple

MAX_CHARACTERS = 20_000  # of a reply that are searched, at its end or its beginning
MARKS = r"[\s*_`\"'“”#\[({<>$]{0,12}"  # that may stand around an answer: bold marks, quotes, brackets
RANGE = r"(?:[-–—~]|to\b)"
NUMBER = (
    r"(?<![\d.,])(?<!\d[-–—~])(?<!\d\s[-–—~]\s)(?<!\d\sto\s)(?P<found>-?\d{1,4}(?:[.,]\d{1,2})?)"
    rf"(?!\d|[.,]\d|\s?%|\s{{0,2}}{RANGE}\s{{0,2}}\d)"
)
OUT_OF = (
    r"(?:[\s*_\])}\"']{0,6}(?:/|／|out\s{1,3}of|of(?=\s{1,3}\d))[\s*_]{0,4}(?P<out_of>\d{1,4}(?:\.\d{1,2})?)(?!\d))"
)
LABEL = r"(?:score|rating|grade|评分|得分|分数|打分)"
COLON = r"(?:\s(?:is|was))?[\"'”*_ ]{0,6}(?:\([^()\n]{0,40}\))?[\"'”*_ ]{0,6}(?:[:=：>]|\s[-–—](?=\s))"
FILL = (
    r"(?:\s{1,3}(?:it|this|that|the|an?|response|answer|assistant(?:['’]s)?|output|text|reply|overall|solid|score"
    r"|rating|grade|of|as|at|around|about|with|for|approximately|be|is)\b){0,8}"
)
SAYS = (
    r"(?:\b(?:i|we)(?:['’](?:d|ll)|\s{1,3}(?:would|will|can|must))?\s{1,3}(?:[a-z]{2,12}\s{1,3})?"
    r"(?:rate|score|grade|give|assign|award)|\b(?:rated|scored|deserves|earns|merits)"
    r"|\b(?:score|rating|grade)\s{1,3}(?:of|is|would|will|should|at|as))"
)
THEN = r"(?=[\s*_\"')\]]{0,6}(?:$|[.,;!\n)]|/|out\b|because|for\b|since|as\b|due|points?|stars?|on\b|overall))"
ENDS = r"[\s*_`\"'“”\])}>$]{0,12}"
SCORE_FORMS = [
    [
        rf"\[\[\s{{0,4}}(?:{LABEL}\s{{0,3}}:\s{{0,3}})?{NUMBER}{OUT_OF}?\s{{0,4}}\]\]",
        rf"\\boxed\s{{0,3}}\{{\s{{0,3}}{NUMBER}{OUT_OF}?\s{{0,3}}\}}",
    ],
    [rf"{LABEL}{COLON}{MARKS}{NUMBER}{OUT_OF}?"],
    [rf"{NUMBER}{OUT_OF}"],
    [rf"{SAYS}{FILL}\s{{0,3}}{MARKS}{NUMBER}{OUT_OF}?{THEN}"],
    [rf"^{MARKS}{NUMBER}{OUT_OF}?{ENDS}$", rf"\A{MARKS}{NUMBER}{OUT_OF}?[.!]?{ENDS}[.!]?\Z"],
]
LETTER = r"(?P<found>(?:a\s)?tie\b|neither\b|both\b|(?-i:[ABC])(?![\w'’]))"
SIDE = r"(?:response|assistant|answer|option|candidate)[\s*_\"']{1,4}(?P<found>(?-i:[AB]))\b"
BETTER = (
    r"[\s*_\"'’s]{1,6}(?:is|was)\s(?:\w{2,15}\s){0,2}"
    r"(?:better|superior|stronger|preferable|preferred|the\s(?:winner|best))"
)
EVEN = (
    r"(?P<found>\btie\b|(?:are|is)\s(?:\w{2,15}\s)?(?:equally\s\w{2,15}|tied)"
    r"|neither\s(?:response\s|one\s)?is\sbetter)"
)
VERDICT_FORMS = [
    [r"\[\[\s{0,3}(?P<found>(?-i:[ABC])|tie)\s{0,3}\]\]"],
    [
        rf"(?:verdict|winner|choice|preference|preferred|better(?:\sresponse)?){COLON}{MARKS}"
        rf"(?:(?:response|assistant|answer)\s)?{LETTER}"
    ],
    [rf"{SIDE}{BETTER}", rf"\bprefer\s(?:the\s)?{SIDE}", EVEN],
    [rf"^{MARKS}{LETTER}{ENDS}$", rf"\A{MARKS}{LETTER}[.!]?{ENDS}[.!]?\Z"],
]


def _compiled(forms: list[list[str]]) -> list[list[re.Pattern[str]]]:
    return [[re.compile(form, re.IGNORECASE | re.MULTILINE) for form in level] for level in forms]


SCORES, VERDICTS = _compiled(SCORE_FORMS), _compiled(VERDICT_FORMS)


class ParsedReply(NamedTuple):
    """A score or verdict read in a reply, or why there is none.

    Attributes:
        value: The score; or the verdict, as 1.0 (A), 0.0 (B) or 0.5 (neither). None if nothing was read.
        text: The text of the score or verdict.
        start: Where that text begins in the reply, -1 if nothing was read.
        problem: Why nothing was read, or None.
    """

    value: float | None = None
    text: str = ""
    start: int = -1
    problem: str | None = None


def read_score(reply: str, low: int, high: int, *, last: bool) -> ParsedReply:
    """Return the score in a reply, on a scale from ``low`` to ``high``; the ``last`` one, or the first."""
    aside = r"(?:\s?\(\w{1,12}\))?"
    scale = rf"\b{low}\b{aside}\s{{0,2}}{RANGE}\s{{0,2}}{high}\b{aside}"  # this names the scale, it is no score
    text, start = _verdict_part(reply, last)
    text = re.sub(scale, lambda found: " " * len(found[0]), text, flags=re.IGNORECASE)
    found = _best_matches(SCORES, text, last)
    if not found:
        return ParsedReply(problem=f"no score in the reply: {_short(reply)}")
    match = found[-1 if last else 0]
    value = float(match["found"].replace(",", "."))
    if match["out_of"] and float(match["out_of"]) != high:
        return ParsedReply(problem=f"expected a score from {low} to {high}, found {_short(match[0])}")
    if not low <= value <= high:
        return ParsedReply(problem=f"expected a score from {low} to {high}, found {match['found']}")
    return ParsedReply(value, match["found"], start + match.start("found"))


def read_verdict(reply: str, *, last: bool) -> ParsedReply:
    """Return the verdict in a reply; the ``last`` one, or the first."""
    text, start = _verdict_part(reply, last)
    found = _best_matches(VERDICTS, text, last)
    values = [{"A": 1.0, "B": 0.0}.get(match["found"], 0.5) for match in found]
    if not found or (len(set(values)) > 1 and found[0].re in VERDICTS[2]):  # "A is better in style, B is better in ..."
        return ParsedReply(problem=f"no verdict in the reply: {_short(reply)}")
    match = found[-1 if last else 0]
    return ParsedReply(values[-1 if last else 0], match["found"], start + match.start("found"))


def _verdict_part(reply: str, last: bool) -> tuple[str, int]:
    """Return the part of a reply that may hold its verdict, without any reasoning trace, and where that part begins."""
    start = max(reply.rfind("</think>"), 0)
    start = max(start, len(reply) - MAX_CHARACTERS) if last else start
    return reply[start : start + MAX_CHARACTERS + 8], start


def _best_matches(forms: list[list[re.Pattern[str]]], text: str, last: bool) -> list[re.Match[str]]:
    """Return the matches of the least ambiguous form that occurs at all, in order.

    The line where the judge was asked to put its verdict is searched first: elsewhere it may quote what it judges.
    """
    bare = text.rstrip() if last else text
    start = bare.rfind("\n") + 1 if last else len(bare) - len(bare.lstrip())
    end = len(bare) if last or (line := bare.find("\n", start)) < 0 else line
    return _first_form([*forms[:2], forms[-1]], bare, start, end) or _first_form(forms, bare, 0, len(bare))


def _first_form(forms: list[list[re.Pattern[str]]], text: str, start: int, end: int) -> list[re.Match[str]]:
    """Return the matches, in order, of the first level of forms that has any between ``start`` and ``end``."""
    for level in forms:
        found = [match for form in level for match in form.finditer(text, start, end)]
        if found:
            return sorted(found, key=lambda match: match.start("found"))
    return []


def _short(reply: str) -> str:
    text = " ".join(reply.split())
    return repr(text if len(text) <= 60 else f"{text[:28]} ... {text[-28:]}")
