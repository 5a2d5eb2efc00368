r"""The forms in which judges say which of two responses is better, the least ambiguous first."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from curate.score._reported import is_reported

_MARKS = r"[\s*_`\"'“”#\[({<>$]{0,12}"
_ENDS = r"[ \t*_`\"'“”\])}>$]{0,12}"
_GAP = r"[\"'”’*_`\] \t]{0,6}"
_SIDE = r"(?:(?:response|assistant|answer|option|candidate|output|model|system)[\s*_\"'`]{1,4}\(?)"
# A > B, A >> B, B < A, A = B; then A, B, C, "tie", "neither".
_COMPARED = r"(?P<left>(?-i:[AB]))\s?(?P<sign>>{1,3}|<{1,3}|={1,2}|≻|≺|≈)\s?(?P<right>(?-i:[AB]))(?!\w|['’]\w)"
# What may follow a letter that is a verdict: the end, a reason, "is better"; not "or B", "is worse".
_TAIL = (
    r"(?=[ \t*_`\"'”\])}>]{0,8}(?:$|\n|[.!;\]}<]|,(?!\s?\(?[AB]\b)|\(|-\s|[–—:]|because\b|since\b|as\b|for\b|due\b"
    r"|wins?\b|over\b|better\b|(?:is|was)\s(?:(?!not\b|no\b|never\b|hardly\b)\w{2,15}\s){0,2}(?:better|superior|stronger"
    r"|preferable|preferred|the\s(?:winner|best|better))))"
)
_LETTER = rf"(?P<found>(?:an?\s)?(?:tie|draw)\b|neither\b|both\b|equal\b|(?-i:[ABC])(?![\w+]|['’]\w){_TAIL})"
_IS_BETTER = (
    r"[\s*_\"'’`)]{1,6}(?:wins\b|(?:is|was)\s(?:(?!not\b|no\b|never\b|hardly\b|only\b)\w{2,15}\s){0,2}"
    r"(?:better|superior|stronger|preferable|preferred|the\s(?:\w{3,10}\s)?(?:winner|best|better|stronger|superior)))(?!\s?\?)"
)
_EVEN = (
    r"(?P<found>(?:(?:is|was|it|this|as|in|of|['’]s)\s(?:basically\s|essentially\s|clearly\s|about\s)?)an?\s(?:tie|draw)\b|(?:are|is)\s(?:\w{2,15}\s)?(?:equally\s\w{2,15}|tied)"
    r"|neither\s(?:response\s|one\s)?is\sbetter)"
)
_NOUN = (
    r"(?:verdict|winner|choice|preference|preferred|(?:better|preferred|best)(?:[\s_](?:response|answer|assistant|one|output|model))?"
    r"|decision|selection|judge?ment|answer|result|gewinner|urteil|结论|更好的回答|胜者|选择|裁决)"
)
_COLON = rf"(?:\s(?:is|was)(?=\s?[:=]))?{_GAP}(?:\([^()\n]{{0,40}}\))?{_GAP}(?:[:=：]|\s[-–—](?=\s)|是|为)"
_STARTS = (
    r"(?:^|[.!?:;,]\s{1,3}|\b(?:so|thus|therefore|hence|that|overall|think|believe|say|conclude|find|but|although)"
    r"\s{1,3})"
)
_CHOOSE = (
    r"\b(?:i|we)(?:['’](?:d|ll)|\s(?:would|will|must|have\sto))?\s(?:(?!not\b|never\b|cannot\b|don\b)\w{2,12}\s)?"
    r"(?:choose|pick|select|prefer|vote\sfor|go\swith|favou?r)\s(?:the\s)?"
)


def _compiled(*forms: str) -> list[re.Pattern[str]]:
    return [re.compile(form, re.IGNORECASE | re.MULTILINE) for form in forms]


_FORM = r"[\"'”`]?,?\s{1,3}(?:if|when|or|for\sa)\b"  # behind a verdict that only shows the form, or is one of two
_BRACKETS = _compiled(
    rf"\[\[\s{{0,3}}(?:{_COMPARED}|(?P<found>(?-i:[ABC])|tie))\s{{0,3}}\]\](?!{_FORM}|[ \t,/|]{{0,3}}\[\[)",
    rf"\\boxed\s{{0,3}}\{{\s{{0,3}}(?:\\text\{{)?(?:{_COMPARED}|(?P<found>(?-i:[ABC])|tie))\s{{0,3}}\}}",
    rf"<(?:verdict|answer|winner|choice|result|output)>\s{{0,4}}{_SIDE}?(?:{_COMPARED}|{_LETTER})\s{{0,4}}[.)]?\s{{0,4}}</",
    r"\[(?:RESULT|VERDICT)\][\s:]{0,3}(?P<found>(?-i:[ABC])|tie)(?!\w|['’]\w)",
)
_BEFORE = r"(?<![^\W_])(?<!correct\s)(?<!right\s)(?<!true\s)(?<!expected\s)(?<!reference\s)"  # an answer, no verdict
_LABELLED = _compiled(
    rf"{_BEFORE}{_NOUN}{_COLON}{_MARKS}{_SIDE}?(?:{_COMPARED}|{_LETTER})",
    rf"{_BEFORE}{_NOUN}{_COLON}{_MARKS}{_SIDE}(?P<found>(?-i:[ab]))(?!\w|['’]\w){_TAIL}",
)
_SENTENCES = _compiled(
    rf"{_SIDE}(?P<found>(?-i:[ABab])(?!\w|['’]\w))\)?{_IS_BETTER}",
    rf"{_STARTS}[*_\"'`(]{{0,4}}(?P<found>(?-i:[AB]))[*_\"'`)]{{0,4}}{_IS_BETTER}",
    rf"{_CHOOSE}{_SIDE}?[*_\"'`(]{{0,4}}(?P<found>(?-i:[AB])(?!\w|['’]\w)){_TAIL}",
    rf"\b(?:(?:better|best|preferred|superior|stronger|winning)\s(?:response|assistant|answer|option|candidate|output|model"
    rf"|one)|winner|verdict|choice|preference|decision)\sis[\s:]{{1,3}}{_SIDE}?[*_\"'`(]{{0,4}}"
    rf"(?P<found>(?-i:[AB])(?!\w|['’]\w)){_TAIL}",
    _EVEN,
)
_ALONE = _compiled(
    rf"^{_MARKS}{_SIDE}?(?:{_COMPARED}|{_LETTER}){_ENDS}\.?{_ENDS}$",
    rf"^{_MARKS}(?:output|model|response|assistant)[ _]?\(?(?P<found>(?-i:[ABab]))\)?{_ENDS}\.?{_ENDS}$",
)
FORMS = (_BRACKETS, _LABELLED, _SENTENCES, _ALONE)
LINE_FORMS = (_BRACKETS, _LABELLED, _ALONE)  # in the line that was asked for
_NOT = re.compile(r"\b(?:not|\w+n['’]t|never|neither|nor|if|whether|unless|hard\sto)\b[^.;!?\n]{0,40}$", re.IGNORECASE)
_BESIDE = re.compile(r"\]\](?:[ \t,/|]{0,3}|,?\sor\s)$|\b(?:than|over)\s$")  # "[[A]][[B]]", "[[A]] or [[B]]"
# "Verdict: A is better in style, B is better in content"
_BETTER_IN = re.compile(rf"\b(?-i:[AB])\)?{_IS_BETTER}", re.IGNORECASE)


class Verdict(NamedTuple):
    """A verdict that a reply gives: 1.0 (A), 0.0 (B) or 0.5 (neither), its text and where that stands."""

    value: float
    text: str
    start: int


def verdicts(forms: list[re.Pattern[str]], text: str, start: int, end: int) -> Iterator[Verdict]:
    """Yield the verdicts that have one of some forms between two places of a text."""
    for form in forms:
        for match in form.finditer(text, start, end):
            if is_reported(text, match.start()) or _is_denied(forms, text[max(match.start() - 60, 0) : match.start()]):
                continue
            groups = match.groupdict()
            if groups.get("left"):
                first, value = match.start("left"), _compared(match["left"], match["sign"], match["right"])
                if value is not None:
                    yield Verdict(value, text[first : match.end("right")], first)
            else:
                value = {"A": 1.0, "B": 0.0}.get(match["found"].upper(), 0.5)
                if forms is _LABELLED and len(_BETTER_IN.findall(_line_from(text, match.start("found")))) > 1:
                    continue
                yield Verdict(value, match["found"], match.start("found"))


def _is_denied(forms: list[re.Pattern[str]], before: str) -> bool:
    """Return whether what stands before a match says that it is denied, or one of two."""
    if forms is _BRACKETS:
        return _BESIDE.search(before) is not None
    return forms is _SENTENCES and _NOT.search(before) is not None


def _line_from(text: str, start: int) -> str:
    """Return what stands from a place to the end of its line, as far as it is looked at."""
    return text[start : start + 400].partition("\n")[0]


def _compared(left: str, sign: str, right: str) -> float | None:
    """Return the verdict of ``A > B`` and the like; None for ``A > A``."""
    if left == right:
        return None
    if sign[0] in "=≈":
        return 0.5
    better = left if sign[0] in ">≻" else right
    return 1.0 if better == "A" else 0.0
