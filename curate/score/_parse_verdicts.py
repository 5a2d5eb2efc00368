r"""Parse a judge's reply: read its score, or which of two responses it finds better.

Only the least ambiguous form that a reply uses is read. Of a score:

1. a JSON object that is the whole reply (``{"score": 8}``), or the line in which the score was asked for (the last or
   the first): with one of the forms 2, 3 or 6;
2. a name and a number: ``Score: 8``, ``**Rating:** 8/10``, ``<score>8</score>``, ``评分：8``, ``| Overall | 8 |``;
3. ``[[8]]``, ``\boxed{8}``, ``[RESULT] 8``;
4. ``8/10``, ``8 out of 10``;
5. ``I'd rate this 7.5``, ``My score is 8``;
6. a line that is a number;
7. a line that is a number behind another name, if there is one such line: ``Quality: 8``, ``Answer: 8``.

And of a verdict: ``[[A]]``, ``[[A>B]]``; ``Verdict: A``, ``{"winner": "A"}``; ``Response A is better``; a line that is
a letter.

If the form is used several times, the last one counts if the judge explains itself first, else the first. A score that
is said to be the overall one counts before others; scores of several criteria without one of the whole are none. What
a reply quotes as said by the response is not read. Nothing is guessed: a score of another scale ("4/5" for 1 to 10,
"80%"), a range ("7-8"), a choice ("7 or 8"), a number that goes on ("7½", "1O") and one outside the scale are no score,
and "A or B" is no verdict. A reasoning trace is taken off; one that does not end has no verdict.
"""

import re
from typing import NamedTuple

from curate.score._reported import is_reported
from curate.score._score_forms import FORMS, LINE_FORMS, ONE_ONLY, Found, Scale, choose, in_json
from curate.score._verdict_forms import FORMS as VERDICTS
from curate.score._verdict_forms import LINE_FORMS as LINE_VERDICTS
from curate.score._verdict_forms import disagree, says_both, verdicts
from schemas.answer_text import answer_of

MAX_CHARACTERS = 20_000  # of a reply that are searched, at its end or its beginning
UNENDED = "the judge's reasoning trace does not end"
_WIDE = str.maketrans("０１２３４５６７８９．\r", "0123456789.\n")  # one character for one: places stay
_HTML = re.compile(
    r"</?(?:b|strong|em|i|u|p|span|div|br|h[1-6]|li|ul|code|center)(?:\s[^<>\n]{0,40})?/?>", re.IGNORECASE
)
_TO = r"(?:[-–—~～]|to\b|bis\b|至|到)"
# What may end or begin a reply and says nothing: marks of code, rules, special tokens.
_TRAILING = re.compile(r"(?:[\s`=~|#>-]|(?<=\s)[*_]{2,}|<\|[^|<>\n]{1,30}\|>|</s>)+\Z")
_JSON_ONLY = re.compile(r"\s*(?:```\w{0,10}\s*)?\{[^`]*\}\s*(?:```)?\s*\Z")
_JSON_BLOCK = re.compile(r"\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}")


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
    scale = (
        rf"(?<![\w.])(?<!:\s){low}{aside}\s{{0,2}}{_TO}\s{{0,2}}{high}\b{aside}"  # this names the scale, it is no score
    )
    text, start = _verdict_part(reply, last)
    if not text.strip() and reply.strip():
        return ParsedReply(problem=UNENDED)
    text = re.sub(scale, lambda found: " " * len(found[0]), text, flags=re.IGNORECASE)
    found = _score_of(text, Scale(low, high), last)
    if found is None:
        return ParsedReply(problem=f"no score in the reply: {_short(reply)}")
    if isinstance(found, str):
        return ParsedReply(problem=f"{found}: {_short(reply)}")
    number = found.number
    if number is None or number.value is None:
        end = len(text) if (line := text.find("\n", number.end if number else found.place)) < 0 else line
        shown = _short(text[found.place if number is None else number.start : end][:40])
        return ParsedReply(problem=f"expected a score from {low} to {high}, found {shown}")
    shown = text[number.start : number.start + len(number.text)]
    if start >= 0:
        shown = reply[start + number.start : start + number.start + len(number.text)]  # full-width digits as they are
    return ParsedReply(number.value, shown, start + number.start if start >= 0 else -1)


def read_verdict(reply: str, *, last: bool) -> ParsedReply:
    """Return the verdict in a reply; the ``last`` one, or the first."""
    text, start = _verdict_part(reply, last)
    if not text.strip() and reply.strip():
        return ParsedReply(problem=UNENDED)
    line = _asked_line(text, last)
    in_order = VERDICTS[1::-1] if _JSON_ONLY.match(text) else LINE_VERDICTS  # {"why": "It says [[A]]", "verdict": "B"}
    for forms, (begin, end) in ((in_order, line), (VERDICTS, (0, len(text)))):
        for level in forms:
            found = sorted(verdicts(level, text, begin, end), key=lambda one: one.start)
            if level is VERDICTS[2] and found and (len({one.value for one in found}) > 1 or says_both(text)):
                break  # "A is better in style, B is better in ..."
            if level is VERDICTS[0] and found and disagree(found, text, last=last):
                return ParsedReply(problem=f"several verdicts in one line: {_short(reply)}")
            if found:
                best = found[-1 if last else 0]
                return ParsedReply(best.value, best.text, start + best.start if start >= 0 else -1)
    return ParsedReply(problem=f"no verdict in the reply: {_short(reply)}")


def _score_of(text: str, scale: Scale, last: bool) -> Found | str | None:
    """Return the score in a text, why there is none of the whole response, or None."""
    if _JSON_ONLY.match(text):
        found = choose(list(in_json(text, 0, len(text), scale)), last=last)
        if found is not None:
            return found
    begin, end = _asked_line(text, last)
    for form in LINE_FORMS:
        found = choose(list(form(text, begin, end, scale)), last=last)
        if isinstance(found, Found) and found.rank > 0:
            return found
    for block in list(_JSON_BLOCK.finditer(text))[:: -1 if last else 1]:
        if is_reported(text, block.start()):
            continue
        found = choose(list(in_json(text, *block.span(), scale)), last=last)
        if found is not None:
            return found
    for form in FORMS:
        found = choose(list(form(text, 0, len(text), scale)), last=last, one_only=form in ONE_ONLY)
        if found is not None:
            return found
    return None


def _verdict_part(reply: str, last: bool) -> tuple[str, int]:
    """Return the part of a reply that may hold its verdict, without any reasoning trace, and where that part begins.

    The place is -1 where the answer is no piece of the reply.
    """
    answer = answer_of(reply)[1]
    start = reply.rfind(answer)
    cut = max(len(answer) - MAX_CHARACTERS, 0) if last else 0
    text = answer[cut : cut + MAX_CHARACTERS].translate(_WIDE)
    text = _HTML.sub(lambda tag: " " * len(tag[0]), text)  # places stay
    return text, start + cut if start >= 0 else -1


def _asked_line(text: str, last: bool) -> tuple[int, int]:
    """Return where the line begins and ends in which the judge was asked to put its verdict."""
    if last:
        end = _TRAILING.sub("", text) if text else ""
        return end.rfind("\n") + 1, len(end)
    start = len(text) - len(text.lstrip())
    line = text.find("\n", start)
    return start, len(text) if line < 0 else line


def _short(reply: str) -> str:
    text = " ".join(reply.split())
    return repr(text if len(text) <= 60 else f"{text[:28]} ... {text[-28:]}")
