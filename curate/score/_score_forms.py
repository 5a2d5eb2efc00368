r"""The forms in which judges write a score, the least ambiguous first, and the choice among several of them."""

import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from curate.score._json_members import members
from curate.score._read_number import ENDS, MARKS, Number, read_number
from curate.score._reported import is_reported
from curate.score._score_labels import CJK_NOUNS, NOUNS, classify, classify_words

_WORDS = r"(?:[^\W\d_][\w'’-]{0,20}?[ \t*_]{1,3}){0,5}"
_NOUN = "|".join(NOUNS)
_CJK = "|".join(CJK_NOUNS)
_GAP = r"[\"'”’*_`\]】 \t]{0,6}"
_ASIDE = r"(?:[(（](?P<aside>[^()（）\n]{0,40})[)）])?"
_COLON = rf"(?:\s(?:is|was)(?=\s?[:=]))?{_GAP}{_ASIDE}{_GAP}(?:[:=：]|\s[-–—](?=\s))"
_LABEL = re.compile(
    rf"(?:(?<![^\W_])(?P<name>{_WORDS}(?P<noun>{_NOUN}))|(?P<cjk>[^\W\d_a-zA-Z]{{0,6}}?(?:{_CJK})))"
    rf"(?:(?:结果)?{_COLON}|\s?[为為是]|】)(?:\s?N\s{{0,2}}[=:])?",
    re.IGNORECASE,
)
_INLINE = re.compile(
    r"\b(?P<name>overall|in\stotal|total|altogether|all\sin\sall)[,:]?\s(?:(?:it|this|is|a|an|it['’]s|of)\s){0,3}(?=[*_`(]{0,3}\d)",
    re.IGNORECASE,
)
_LINE = re.compile(rf"^[\s*_#>+•-]{{0,8}}(?P<name>[^\W\d_][^\n:：=|\"'“‘`«]{{0,40}}?){_COLON}", re.MULTILINE)
_ROW = re.compile(r"^[ \t]*\|[ \t*_]*(?P<name>[^\W\d_][^\n|]{0,40}?)[ \t*_]*\|(?=[^\n|]{1,20}\|?[ \t]*$)", re.MULTILINE)
_TAG = re.compile(rf"<(?P<name>[a-z][a-z_ -]{{0,30}})>(?=\s{{0,4}}{MARKS}\d)", re.IGNORECASE)
_FOR_END = re.compile(r"[^\n<]{0,20}</")
_ABOUT = re.compile(
    rf"{ENDS}(?:for|on|in|regarding)\s{{1,2}}(?!(?:the|this|that|its|an?|my)\s{{1,2}}(?:\w+\s)?(?:response|answer|view"
    r"|opinion|reply)|(?:being|it|this|that|both|my|these|effort|overall|giving|having|providing)\b)"
    r"(?:its\s|the\s)?(?P<about>[a-z]{3,20})",
    re.IGNORECASE,
)
_NUMBERS_FOR = re.compile(r"(?<![\d.,/])(?=\d{1,3}(?:\.\d)?(?:/\d{1,3})?\s(?:for|on|in)\s)", re.IGNORECASE)
# What a label is followed by where its score is none that can be read.
_NO_NUMBER = re.compile(
    rf"{MARKS}(?:[½¼¾⅓⅔★☆⭐≈≥≤~]|n/a\b|none\b|null\b|between\b|around\b|about\b|approximately\b|less\b|more\b)",
    re.IGNORECASE,
)
_QUOTES = "\"'“‘«「`"
_BRACKETS = re.compile(
    r"(?:\[\[\s{0,4}|\\boxed\s{0,3}\{\s{0,3}|\[(?:RESULT|SCORE|RATING)\][\s:]{0,3}|^####\s{1,3})(?=\+?-?\d)",
    re.IGNORECASE | re.MULTILINE,
)
_OUT_OF = re.compile(
    r"(?<![\d.,/])(?<!\d[-–—~])(?<!\d\s[-–—~]\s)(?<!\d\sto\s)(?<!\d\sor\s)"
    r"(?=\d{1,3}(?:[.,]\d{1,2})?[\s*_)\]}]{0,4}(?:[/／]|out\s{1,3}of|of\s{1,3}\d))",
    re.IGNORECASE,
)
_NAME_BEFORE = re.compile(r"([^\W\d_][^\n:：,.;|]{0,40})[*_]{0,3}\s?[:：][\s*_]{0,4}$")
_THEN = re.compile(
    rf"{ENDS}(?:$|[.,;!\n)—–:]|-\s|because|for\b|since|as\b|due|points?|stars?|on\b|overall|in\smy|分|点|點)"
    r"(?![,\s]{0,3}(?:if|unless|had|were)\b)",
    re.IGNORECASE | re.MULTILINE,
)
_FILL = (
    r"(?:\s{1,3}(?:it|this|that|the|an?|response|answer|assistant(?:['’]s)?|output|text|reply|overall|solid|score"
    r"|rating|grade|of|as|at|around|about|with|for|approximately|be|is|therefore|thus|hence|then)\b){0,8}"
)
_WORD = r"(?:(?!(?:not|never|hardly|barely|cannot|almost|nearly|might|could|may)\b)[a-z]{2,12}\s{1,3})?"
_SAYS = re.compile(
    rf"(?:\b(?:i|we)(?:['’](?:d|ll)|\s{{1,3}}(?:would|will|can|must))?\s{{1,3}}{_WORD}"
    r"(?:rated?|scored?|graded?|give|assign(?:ed)?|award(?:ed)?|say)"
    rf"|\b(?:(?:this|the)\s(?:response|answer|output|text|reply)|it|this)\s{{1,3}}{_WORD}(?:deserves|earns|merits)"
    r"|(?:\b(?:my|the)\s{1,3}|^[*_#]{0,4}\s?)(?:(?:final|overall|total)\s{1,3}){0,2}(?:score|rating|grade)"
    r"(?:\s{1,3}(?:for|of)\s(?:this|the)\s(?:response|answer|output|text|reply))?\s{1,3}(?:is|will\sbe|would\sbe))"
    rf"{_FILL}\s{{0,3}}(?={MARKS}\d)"
    r"|(?:打|给|給|得|评|評)(?:了|出|为|為)?\s{0,2}(?=\d{1,3}(?:\.\d)?\s{0,2}分)",
    re.IGNORECASE | re.MULTILINE,
)
# Before a sentence: a denial that is about it, or a case that is only supposed.
_DENIED = re.compile(
    r"(?:\b(?:not|cannot|never|hardly|barely|no|nobody|far\sfrom|instead\sof|rather\sthan|tempted|first|initially|might|could)"
    r"|n['’]t)\s(?:(?!(?:and|so|but|hence|thus|because|therefore|since)\b)[\w'’]{1,15}\s){0,6}\W{0,3}$"
    r"|(?:(?:^|[.;!?,:]\s{1,2}|\b(?:but|and|so|that)\s)if|\bunless|(?:^|[.;!?,:]\s{1,2})(?:had|were|should))\b"
    r"(?!\s(?:i|we)\s(?:had|have|must)\b)[^.;!?\n]{0,90}$",
    re.IGNORECASE,
)
_PARTS = re.compile(r"[.;!?,:|]|\s[-–—]\s|\bso\b")
_BARE = re.compile(rf"^(?=[|\s]{{0,3}}>?{MARKS}\+?\d)[| \t]{{0,3}}>?", re.MULTILINE)
_BARE_END = re.compile(rf"(?:分|点|點|점|\s?(?:points?|pts|stars?))?{ENDS}[.!|]?{ENDS}$", re.MULTILINE)


class Found(NamedTuple):
    """A score that a reply names.

    Attributes:
        rank: What it is about: see ``classify``.
        about: The criterion, where it is one.
        number: The number, or None where there is none that can be read.
        place: Where it stands.
    """

    rank: int
    about: str
    number: Number | None
    place: int


class Scale(NamedTuple):
    """The scale that was asked for."""

    low: int
    high: int


def labelled(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield scores behind a name that says so: ``Score: 8``, ``<score>8</score>``, ``| Overall | 8 |``."""
    for match in _LABEL.finditer(text, start, end):
        if not _is_mention(text, match.start("noun" if match["name"] else "cjk")):
            yield from _named(text, match["name"] or match["cjk"], match.end(), scale, match["aside"])
    for match in _TAG.finditer(text, start, end):
        number = read_number(text, match.end(), *scale)
        if number and _FOR_END.match(text, number.end) and not _is_mention(text, match.start()):
            yield from _named(text, match["name"], match.end(), scale)
    for match in _INLINE.finditer(text, start, end):
        number = read_number(text, match.end(), *scale)
        if number and number.whole:
            yield Found(2, "", number, match.start())
    for form in (_LINE, _ROW):
        for match in form.finditer(text, start, end):
            kind = classify(match["name"])
            number = _alone(text, match.end(), scale) if kind and kind[0] == 2 else None
            if number and not _is_told(text, match):
                yield Found(2, "", number, match.start())


def named_loosely(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield scores that are alone on a line behind any name: ``Quality: 8``; one not known only rules others out."""
    for form in (_LINE, _ROW):
        for match in form.finditer(text, start, end):
            kind = classify(match["name"])
            number = kind and not _is_told(text, match) and _alone(text, match.end(), scale)
            if kind and number:
                yield Found(*kind, number, match.start())


def in_json(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield scores that are members of JSON objects: ``{"score": 8}``."""
    at = text.find("{", start, end)
    for member in members(text, at, end) if at >= 0 else ():
        kind = classify(member.path)
        number = read_number(text, member.start, *scale)
        if kind and any(len(name) == 1 for name in member.path.split()):  # {"A": {"score": 8}, "B": {"score": 7}}
            kind = 0, member.path
        if kind and number and number.start - member.start <= 1:
            yield Found(*kind, number if number.end <= member.end else number._replace(value=None), member.start)


def in_brackets(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    r"""Yield scores in ``[[8]]``, ``\boxed{8}``, behind ``[RESULT]`` or ``####``."""
    for found in _read(_BRACKETS, text, start, end, scale):
        yield from _behind_words(text, found)


def out_of(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield numbers such as ``8/10`` and ``8 out of 10``, unless they count something: "3/10 facts"."""
    for found in _read(_OUT_OF, text, start, end, scale):
        if found.number and found.number.whole and _THEN.match(text, found.number.end):
            name = _NAME_BEFORE.search(text[max(found.place - 60, 0) : found.place])
            if name is None:
                yield from _behind_words(text, found)
            elif kind := classify(name[1]):
                yield found._replace(rank=kind[0], about=kind[1])


def said(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield scores that a sentence of the judge gives: ``I'd rate this 7.5``, ``My score is 8``."""
    for found in _read(_SAYS, text, start, end, scale):
        if _DENIED.search(_line_before(text, found.place)):
            continue
        if found.number and (found.rank < 1 or _THEN.match(text, found.number.end)):
            yield found


def bare(text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    """Yield numbers that are a line of their own."""
    for match in _BARE.finditer(text, start, end):
        number = _alone(text, match.end(), scale)
        if number and not is_reported(text, match.start()):
            yield Found(1, "", number, match.start())


Form = Callable[[str, int, int, Scale], Iterator[Found]]
FORMS: tuple[Form, ...] = (labelled, in_brackets, out_of, said, bare, named_loosely)
ONE_ONLY: tuple[Form, ...] = (out_of, bare, named_loosely)  # forms that other numbers of a text may have
LINE_FORMS: tuple[Form, ...] = (labelled, in_brackets, bare)  # in the line that was asked for


def choose(found: list[Found], *, last: bool, one_only: bool = False) -> Found | str | None:
    """Return the score of the whole response among several, or why there is none; None where none is given.

    One that is said to be the overall one counts before one that is not, and criteria count only where there is a
    single one. Of several of the same kind the last one counts, or the first.

    Args:
        found: The scores that have one form.
        last: Whether the last one counts, in place of the first.
        one_only: Whether different scores of the same kind are none: the form does not say that they are verdicts.
    """
    most = max((one.rank for one in found), default=-1)
    if most < 0:
        return None
    if most == 0 and len({one.about for one in found if one.rank <= 0}) > 1:
        return "several scores and none of the whole"
    best = sorted((one for one in found if one.rank == most), key=lambda one: one.place)
    if one_only and len({one.number and one.number.value for one in best}) > 1:
        return "several scores and none of the whole"
    return best[-1 if last else 0]


def _named(text: str, name: str, at: int, scale: Scale, aside: str | None = None) -> Iterator[Found]:
    """Yield the score at a place behind a name."""
    numbers = [int(one) for one in re.findall(r"\d{1,4}", aside or "")]
    kind = classify(name if numbers or not aside else f"{aside} {name}")  # "Score (clarity)"
    if kind is None:
        return
    number = read_number(text, at, *scale)
    if number and "\n" in text[at : number.start] and not _BARE_END.match(text, number.end):
        return  # a line that goes on
    if number and numbers and numbers[-1] != scale.high:
        number = number._replace(value=None, problem="of another scale")
    if number:
        yield from _about(text, Found(*kind, number, at), scale)
    elif _NO_NUMBER.match(text, at):
        yield Found(*kind, None, at)


def _about(text: str, found: Found, scale: Scale) -> Iterator[Found]:
    """Yield a score; as one of a criterion where the words behind it say so, with the others that follow."""
    about = _ABOUT.match(text, found.number.end) if found.number else None
    if found.number is None or about is None:
        yield found
        return
    yield found._replace(rank=min(found.rank, 0), about=about["about"].lower())
    for match in _NUMBERS_FOR.finditer(text, found.number.end, found.number.end + 200):
        other = read_number(text, match.end(), *scale)
        if other and (about := _ABOUT.match(text, other.end)):
            yield Found(-1, about["about"].lower(), other, match.end())


def _read(form: re.Pattern[str], text: str, start: int, end: int, scale: Scale) -> Iterator[Found]:
    for match in form.finditer(text, start, end):
        number = read_number(text, match.end(), *scale)
        if number and not _is_mention(text, match.start()):
            yield from _about(text, Found(1, "", number, match.start()), scale)


def _behind_words(text: str, found: Found) -> Iterator[Found]:
    """Yield a score by the words before it: none, or few and all known ("so a solid", "it's an"), or a criterion."""
    before = _line_before(text, found.place)
    words = _PARTS.split(before)[-1]
    kind = classify_words(words)
    if kind and not _DENIED.search(before):
        yield found._replace(rank=min(found.rank, kind[0]) if kind[0] < 1 else kind[0], about=found.about or kind[1])


def _line_before(text: str, at: int) -> str:
    """Return what stands before a place in its line, as far as it is looked at."""
    return text[max(text.rfind("\n", 0, at) + 1, at - 120) : at]


def _alone(text: str, at: int, scale: Scale) -> Number | None:
    """Return the number at a place where nothing else follows in its line."""
    number = read_number(text, at, *scale)
    if number is None or "\n" in text[at : number.start] or not _BARE_END.match(text, number.end):
        return None
    return number


def _is_told(text: str, line: re.Match[str]) -> bool:
    """Return whether a line with a name is reported, by what is before it or by the name: "It asserts Score"."""
    return is_reported(text, line.start()) or is_reported(text, line.end("name"))


def _is_mention(text: str, at: int) -> bool:
    """Return whether what stands at a place is quoted, as what the judged response says, say."""
    if is_reported(text, at):
        return True
    line = text[max(text.rfind("\n", 0, at) + 1, at - 120) : at]
    if not line:
        return False
    before = line[:-1].rstrip(" \t")
    return line[-1] in _QUOTES and before.strip(" \t*_`\"'“‘«「([#>{-") != "" and before[-1] not in ":：{,"
