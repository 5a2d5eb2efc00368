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
_COMPARED = (
    r"(?P<left>(?-i:[AB]))\s?(?P<sign>>{1,3}|<{1,3}|={1,2}|≻|≺|≈)\s?(?P<right>(?-i:[AB]))(?!\w|['’]\w|\s?[?=<>!])"
)
# Behind a verdict in brackets: no question, no comparison, no word that goes on but for a reason.
_BEHIND = (
    r"(?=[ \t*_`\"'”»)}\]>~$\\.]{0,8}+(?:$|</|-\s|(?-i:[^\sa-z?<=/|&+\[,-])|,(?!\s?\W{0,3}\[\[)|because\b|since\b|as\b"
    r"|for\s|due\b|given\b|with\b|over\b|wins\b|instead\sof\b|rather\sthan\b|(?:and\s)?not\s\[\[|better\b|(?:is|was)\s(?:(?!not\b|no\b|never\b|hardly\b)"
    r"\w{2,15}\s){0,2}(?:better|superior|stronger|preferable|preferred|(?:my|the)\s(?:final\s)?(?:winner|best|better|verdict|choice))))"
)
_IS_BETTER = (
    r"[\s*_\"'’`)]{1,6}(?:wins\b|(?:is|was)\s[*_]{0,3}(?:(?!not\b|no\b|never\b|hardly\b|only\b)\w{2,15}\s){0,2}"
    r"(?:better|superior|stronger|preferable|preferred|the\s(?:\w{3,10}\s)?(?:winner|best|better|stronger|superior))\b)"
)
# Where a sentence that says so ends: not "better formatted", "better in style", "better for beginners".
_END = (
    r"(?:\s(?:response|answer|one|option|choice|output|assistant))?(?:\sof\s(?:the\stwo|both))?"
    rf"(?:\sthan\s(?:the\sother(?:\sone)?\b|{_SIDE}?[*_\"'`(]{{0,3}}(?-i:[AB])\b))?(?:\s(?:overall|here|by\sfar))?"
    r"(?=[ \t*_`\"'”)]{0,6}+(?:$|[.;](?!\.)|!|[–—:(]|-\s|,\s(?:because|since|as\s(?:it|the|its|response)|so|while"
    r"|whereas)\b|because\b|since\b|as\s(?:it|its|the|this|response|assistant)\b|due\sto\b))"
)
_EVEN_END = (
    r"(?=[ \t*_`\"'”\])}>]{0,8}+(?:$|[.;!(–—（。]|</|,\s(?:because|since|as|so)\b|because\b|since\b|overall\b"
    r"|as\s(?:both|the|they|neither)\b))"
)
_TIE = (
    r"(?:^|[.!?:;,]\s{1,3}|\b(?:so|thus|therefore|hence|that|overall|think|call)\s{1,3})"
    r"(?P<found>(?:it|this|that|the\s(?:result|outcome|comparison))(?:\s(?:is|was)|['’]s)?"
    rf"\s(?:(?:basically|essentially|clearly)\s)?an?\s(?:tie|draw)\b){_EVEN_END}"
)
_EVEN = (
    r"(?P<found>\b(?:are|is)\s(?:(?!not\b|no\b|never\b|hardly\b|only\b)\w{2,15}\s)?(?:equally\s\w{2,15}|tied)\b"
    rf"|neither\s(?:response\s|one\s)?is\sbetter\b){_EVEN_END}"
)
# Behind a letter: what denies or doubts it. "A - worse", "A, no, B"; not "A (not B)".
_BAD = (
    r"(?!\s{0,2}(?:(?:it|is|was|the|a|much|clearly|far)\s){0,3}(?:worse|worst|bad|wrong|poor|incorrect|inferior|false|weak(?:er)?"
    r"|loser|loses|fails?|maybe|perhaps|possibly|not(?!\s(?:response\s|assistant\s)?[\[(]{0,2}[ABC]\b)"
    r"|no,?\s\(?[ABC]\b|or\b|says\b|said\b))"
)
# "A. Actually B"
_CHANGED = r"(?!\s{1,3}(?:actually|wait|no|hmm|correction|rather)\b[,:]?\s(?:it['’]s\s|it\sis\s)?\W{0,3}[ABC]\b)"
# What may follow a letter that is a verdict: the end, a reason, "is better"; not "or B", "is worse".
_TAIL = (
    rf"(?=[ \t*_`\"'”\])}}>]{{0,8}}+(?:$|\n|[.;。；]{_CHANGED}|!(?!=){_CHANGED}|！|</"
    rf"|,(?!\s?\(?[AB]\b){_BAD}|，|[(（]{_BAD}"
    rf"|-\s{_BAD}|[–—]{_BAD}|because\b|since\b|as\b|for\s(?:its|the|being|having|this|giving)\b|due\b"
    r"|over\b|better\b)|{_IS_BETTER}{_END})"
)
_EQUAL = r"(?:equal|equivalent|the\ssame|tied|equally\s\w{2,15})"
_LETTER = (
    rf"(?P<found>(?:(?:an?\s)?(?:tie|draw)|neither(?:\sA\snor\sB|(?:\sresponse|\sone)?\sis\sbetter)?"
    rf"|both(?:\s(?:responses\s)?are\s{_EQUAL})?|{_EQUAL})\b{_EVEN_END}|(?-i:[ABC])(?![\w+]|['’]\w){_TAIL})"
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


_BRACKETS = _compiled(
    rf"\[\[\s{{0,3}}(?:{_COMPARED}|(?P<found>(?-i:[ABC])|tie))\s{{0,3}}\]\]{_BEHIND}",
    rf"\\boxed\s{{0,3}}\{{\s{{0,3}}(?:\\text\{{)?(?:{_COMPARED}|(?P<found>(?-i:[ABC])|tie))\s{{0,3}}\}}{_BEHIND}",
    rf"<(?:verdict|answer|winner|choice|result|output)>\s{{0,4}}{_SIDE}?(?:{_COMPARED}|{_LETTER})\s{{0,4}}[.)]?\s{{0,4}}</",
    r"\[(?:RESULT|VERDICT)\][\s:]{0,3}(?P<found>(?-i:[ABC])|tie)(?!\w|['’]\w)",
)
_BEFORE = r"(?<![^\W_])(?<!correct\s)(?<!right\s)(?<!true\s)(?<!expected\s)(?<!reference\s)"  # an answer, no verdict
_LABELLED = _compiled(
    rf"{_BEFORE}{_NOUN}{_COLON}{_MARKS}{_SIDE}?(?:{_COMPARED}|{_LETTER})",
    rf"{_BEFORE}{_NOUN}{_COLON}{_MARKS}{_SIDE}(?P<found>(?-i:[ab]))(?!\w|['’]\w){_TAIL}",
)
_SENTENCES = _compiled(
    rf"{_SIDE}(?P<found>(?-i:[ABab])(?!\w|['’]\w))\)?{_IS_BETTER}{_END}",
    rf"{_STARTS}[*_\"'`(]{{0,4}}(?P<found>(?-i:[AB]))[*_\"'`)]{{0,4}}{_IS_BETTER}{_END}",
    rf"{_CHOOSE}{_SIDE}?[*_\"'`(]{{0,4}}(?P<found>(?-i:[AB])(?!\w|['’]\w)){_TAIL}",
    rf"\b(?:(?:better|best|preferred|superior|stronger|winning)\s(?:response|assistant|answer|option|candidate|output|model"
    rf"|one)|winner|verdict|choice|preference|decision)\sis[\s:]{{1,3}}{_SIDE}?[*_\"'`(]{{0,4}}"
    rf"(?P<found>(?-i:[AB])(?!\w|['’]\w)){_TAIL}",
    _TIE,
    _EVEN,
)
_ALONE = _compiled(
    rf"^{_MARKS}{_SIDE}?(?:{_COMPARED}|{_LETTER}){_ENDS}\.?{_ENDS}$",
    rf"^{_MARKS}(?:output|model|response|assistant)[ _]?\(?(?P<found>(?-i:[ABab]))\)?{_ENDS}\.?{_ENDS}$",
)
FORMS = (_BRACKETS, _LABELLED, _SENTENCES, _ALONE)
LINE_FORMS = (_BRACKETS, _LABELLED, _ALONE)  # in the line that was asked for
# Before a sentence: a denial, a doubt, or somebody else's view.
_NOT = re.compile(
    r"\b(?:not|\w+n['’]t|never|neither|nor|no|if|whether|unless|hard\sto|might|may|could|some|many|others|people|readers?|users?"
    r"|seems?|appears?|tie|draw|tied|equal|first|initially|superficially|perhaps|maybe|possibly|(?<!i\s)(?<!we\s)would|^had)\b[^.;!?\n]{0,60}$",
    re.IGNORECASE,
)
# Before a verdict in brackets: another one that it is compared with or may be instead; a denial; a supposition.
_NO_BRACKET = re.compile(
    r"\]\][\s*_\"'`”]{0,4}(?:[,/|&+<>=]{0,3}|,?\s{0,2}(?:or|and|vs\.?|versus|nor|to)\b)[\s*_\"'`“]{0,4}$"
    r"|(?:\b(?:than|over|against|unlike|considered|considering|reject(?:ed|ing|s)?|excluding|instead\sof|without)\s|~~)\W{0,4}$"
    r"|\b(?:rejected|worse|losing|weaker|inferior)\s(?:\w{1,15}\s)?(?:is|was)\W{0,4}$"
    r"|(?:\b(?:not|never|cannot|neither|nor|hardly)|n['’]t)\s(?:\w{1,15}\s){0,2}[\"'`*(“]{0,4}$"
    r"|(?:(?<!even\s)\b(?:if|unless|whether)\b|(?:^|[.;!?]\s{1,2})(?:had|were|should)\b)"
    r"(?!\s(?:i|we)\s(?:had|have|must)\b|\s(?:forced|anything|pressed)\b)[^.:;!?\n]{0,60}$",
    re.IGNORECASE | re.MULTILINE,
)
_NO_LABEL = re.compile(
    r"(?:\b(?:not|never|hardly|no)|n['’]t)\s(?:(?:the|my|a|an|our|final|clear|be)\s){0,3}$"
    r"|(?<!even\s)\b(?:if|unless|whether)\b(?!\s(?:i|we)\s(?:had|have|must)\b|\s(?:forced|anything|pressed)\b)[^.:;!?\n]{0,60}$",
    re.IGNORECASE,
)
_CORRECTED = re.compile(r"\b(?:actually|wait|correction|on\s(?:second|reflection)|i\schange|hmm)\b", re.IGNORECASE)
# "Verdict: A is better in style, B is better in content"
_BETTER_IN = re.compile(rf"\b((?-i:[AB]))\)?{_IS_BETTER}", re.IGNORECASE)


class Verdict(NamedTuple):
    """A verdict that a reply gives: 1.0 (A), 0.0 (B) or 0.5 (neither), its text and where that stands."""

    value: float
    text: str
    start: int


def verdicts(forms: list[re.Pattern[str]], text: str, start: int, end: int) -> Iterator[Verdict]:
    """Yield the verdicts that have one of some forms between two places of a text."""
    for form in forms:
        for match in form.finditer(text, start, end):
            at = match.start("found") if forms is _SENTENCES else match.start()
            if is_reported(text, match.start()) or _is_denied(forms, _before(text, at)):
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


def disagree(found: list[Verdict], text: str, *, last: bool) -> bool:
    """Return whether the line of the verdict that counts has another one, and does not say that it was changed."""
    at = found[-1 if last else 0].start
    first, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
    line = [one for one in found if first <= one.start < (len(text) if end < 0 else end)]
    pairs = zip(line, line[1:], strict=False)
    return any(a.value != b.value and not _CORRECTED.search(text[a.start : b.start]) for a, b in pairs)


def says_both(text: str) -> bool:
    """Return whether sentences say of A and of B that it is better, in something at least."""
    return len({one[1] for one in _BETTER_IN.finditer(text)}) > 1


def _before(text: str, at: int) -> str:
    """Return what stands before a place in its line, as far as it is looked at."""
    return text[max(text.rfind("\n", 0, at) + 1, at - 80) : at]


def _is_denied(forms: list[re.Pattern[str]], before: str) -> bool:
    """Return whether what stands before a match says that it is denied, supposed, or one of two."""
    if forms is _BRACKETS:
        return _NO_BRACKET.search(before) is not None
    if forms is _LABELLED:
        return _NO_LABEL.search(before) is not None
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
