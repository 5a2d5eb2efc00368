"""Tell a closing mark that ends a reasoning trace from one that a text only mentions, as an answer about the tags does.

There are two tests. ``ends_trace`` asks whether a mark stands as models write it: on a line of its own, or behind the
last sentence of the trace. ``is_mentioned`` asks whether it is surely a mention: in quotes, in code, or a word of a
sentence. A mark may be neither; then an opening mark before it decides.
"""

import re

_QUOTES = {("`", "`"), ('"', '"'), ("'", "'"), ("“", "”"), ("‘", "’"), ("«", "»"), ("「", "」"), ("*", "*"), ("(", ")")}
_QUOTE_OPENS = re.compile(r"(?:(?:^|[\s(\[{,=:+])[rbfuRBFU]{0,2}[\"'`]|[“‘«「])$")
_QUOTE_ENDS = re.compile(r"[\"'`](?:$|[\s,.;:)\]}+])|[”’»」]")
_APOSTROPHE_AS_QUOTE = re.compile(r"(?<!\w)'|'(?!\w)")
_CODE_LINE = 200  # characters before a mark: in a longer line an odd number of quotes says nothing
_PUNCTUATION = (*",.;:!?)]}|>=/，。；：！？）、",)
_SENTENCE_ENDS = (*".!?…。！？)]}”’»」\"'*`$",)
_LEADS_ON = (*":：,，、;；=([{<|/\\+-&@#~^_（",)  # what follows belongs to it
_PATTERN_ENDS = re.compile(r"[.\])][*+]\??$")  # of a regular expression: ".*", "[^<]+?"
_LIST_MARKS = re.compile(r"(?:[-*+•>#|/;%]+|\(?(?:\d{1,3}|\w)[.)]|<!--|[ \t])*")
_TWO_WORDS = re.compile(r"[A-Za-z]+ [A-Za-z]{2,} $")
_BLANK_LINE = re.compile(r"[ \t\r]*\n[ \t\r]*\n")
_NEXT = re.compile(r"\s*(\S)")
_CJK = 0x2E80  # the first character of the scripts that are written without spaces
# Words by which a sentence goes on behind a tag that it names: "<think> is the opening tag".
_GOES_ON = re.compile(
    r" (?:is|are|was|opens?|starts?|begins?|marks?|means|and|or|tags?|tokens?|blocks?|closes?|ends?|indicates|denotes"
    r"|wraps|encloses|signals|contains|之后|之前|标签|标记)\b| ?(?:标签|标记)"
)


def goes_on(text: str, end: int) -> bool:
    """Return whether a text goes on behind a mark as a sentence about the mark does."""
    return _GOES_ON.match(text, end) is not None


def ends_trace(text: str, start: int, at: int, end: int) -> bool:
    """Return whether the closing mark from ``at`` to ``end`` stands as one that ends a trace from ``start`` on."""
    before, after = _line(text, start, at, end)
    if after or before or "`" in text:
        if after.startswith(_PUNCTUATION) or goes_on(text, end) or _is_quoted(text, before, after, at, end):
            return False
        if before and not before.isspace():
            return _ends_line(before, after, one_line="\n" not in text[start:at].strip())
        if len(before) > 3 or "\t" in before:
            return False  # code is indented
    if text[max(at - 40, start) : at].rstrip().endswith((":", "：")):  # perhaps it is announced: "It ends with:"
        if "\n" not in text[start:at].strip() or not _BLANK_LINE.match(text, end):
            return False
    return not after or after[0] != " " or after.isspace() or _begins(after)


def is_mentioned(text: str, start: int, at: int, end: int) -> bool:
    """Return whether a mark is quoted, or a word of a sentence ("write </think> after the trace")."""
    before, after = _line(text, start, at, end)
    spaced = before[-1:] == " "
    word_follows = after[:1] == " " and after[1:2].isalpha() and not after[1:2].isupper()
    is_word = spaced and ((before[-2:-1].isalnum() and word_follows) or after.startswith(_PUNCTUATION))
    return is_word or goes_on(text, end) or _is_quoted(text, before, after, at, end)


def is_in_words(text: str, start: int, at: int) -> bool:
    """Return whether a mark follows two words and a space, as in the middle of a sentence."""
    return _TWO_WORDS.search(text[max(at - 60, start) : at]) is not None


def has_words(text: str, end: int) -> bool:
    """Return whether an answer that begins behind a mark has a letter or a digit near its beginning."""
    return any(map(str.isalnum, text[end : end + 60]))


def goes_on_small(text: str, end: int) -> bool:
    """Return whether the next character behind a mark, but for white space, is a small letter."""
    found = _NEXT.match(text, end)
    return found is not None and found[1].islower()


def _line(text: str, start: int, at: int, end: int) -> tuple[str, str]:
    """Return what the mark's line has before it, from ``start`` on, and behind it."""
    line_end = text.find("\n", end)
    return text[max(text.rfind("\n", start, at) + 1, start) : at], text[end : line_end if line_end >= 0 else len(text)]


def _ends_line(before: str, after: str, *, one_line: bool) -> bool:
    """Return whether a mark ends a trace whose last line has text before the mark."""
    said = before.rstrip()
    last, spaced = said[-1], len(said) < len(before)
    is_last = not after or after.isspace()
    if last in _LEADS_ON or _PATTERN_ENDS.search(said[-4:]):
        return last in ":：" and is_last and not (spaced or one_line)
    if said.lstrip().startswith("|") or after.lstrip().startswith("|"):
        return False  # the row of a table
    if spaced and len(said) < 20 and _LIST_MARKS.fullmatch(said):
        return False
    if is_last:
        return not (spaced and (last.isalpha() or "\t" in before[len(said) :]))
    if spaced:
        return last in _SENTENCE_ENDS and (after[0] != " " or _begins(after))
    return not (last.isalpha() and ord(last) >= _CJK)


def _begins(after: str) -> bool:
    """Return whether an answer may begin so: with a capital letter, a digit, markup, a script without capitals."""
    first = after.lstrip()[:1]
    return not first.islower() and first not in ("-", "—", "–", "→", "←", "+", "&")


def _is_quoted(text: str, before: str, after: str, at: int, end: int) -> bool:
    """Return whether a mark stands between quotes or in code."""
    if (before[-1:], after[:1]) in _QUOTES or _QUOTE_OPENS.search(before[-4:]) or _QUOTE_ENDS.match(after):
        return True
    if len(before) <= _CODE_LINE:
        if before.count('"') % 2 == 1 and '"' in after:
            return True
        if "'" in after and len(_APOSTROPHE_AS_QUOTE.findall(before)) % 2 == 1 and _APOSTROPHE_AS_QUOTE.search(after):
            return True
    if "`" not in text:
        return False
    in_line = before.count("`") % 2 == 1 and "`" in after
    return in_line or (text.count("```", 0, at) % 2 == 1 and text.count("```", end) % 2 == 1)
