"""Repairs: a text edited by a program until it keeps a format constraint, without new content.

A text is cut to whole sentences or clauses, laid out as lines or a list, or spelt otherwise; its own words stay in
their order. Where that is not enough (a keyword that is missing, too few words), there is no repair. The order of
``REPAIRS`` is that in which several are made: what shortens a text first, what puts words around it last.
"""

import re
import unicodedata
from collections.abc import Callable
from typing import Any

from curate.verifiers.constraints.text_units import lines_of, sentences_of

ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+(?=\S)")
CLAUSE = re.compile(r"[,;:]$")
JOINS = frozenset("but because while".split())  # words before which a sentence may end
OPENERS = frozenset("a an the this that these those it its there here we you they he she my our in on when as".split())
LEAST = 3  # words of a text that was cut within a sentence
SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
).split()
Repair = Callable[..., str | None]


def repaired(text: str, constraints: list[dict[str, Any]]) -> str | None:
    """Return a text edited to keep constraints, as far as they have repairs; None if one can't be made.

    Args:
        text: The text, which fails some of them.
        constraints: The constraints, each valid. The caller checks the result: a later repair may undo an earlier one.
    """
    kinds = {constraint["kind"]: constraint for constraint in constraints}
    new = text.strip()
    for kind, repair in REPAIRS.items():
        if kind in kinds and new:
            parameters = {name: value for name, value in kinds[kind].items() if name != "kind"}
            new = (repair(new, **parameters) or "").strip()
    return new or None


def without_end(text: str) -> str:
    """Return a text that was cut off without its last line, or without its last sentence where it is one line."""
    lines = lines_of(text)
    if len(lines) > 1:
        return "\n".join(lines[:-1])
    return " ".join(" ".join(sentence) for sentence in sentences_of(text)[:-1])


def first_words(text: str, least: int, most: int) -> str | None:
    """Return the first sentences of a text, from ``least`` to ``most`` words; or the first clauses of its first one."""
    kept: list[str] = []
    for sentence in _sentences(text):
        if len(kept) + len(sentence) > most:
            break
        kept += sentence
    if len(kept) >= max(least, 1):
        return " ".join(kept)
    tokens = next(iter(_sentences(text)), [])
    for end in range(min(most, len(tokens) - 1), max(least, LEAST) - 1, -1):
        if CLAUSE.search(tokens[end - 1]) or tokens[end].lower() in JOINS:
            return re.sub(r"\W+$", "", " ".join(tokens[:end])) + "."
    return None


def _max_words(text: str, n: int) -> str | None:
    return first_words(text, 1, n)


def _words_between(text: str, least: int, most: int) -> str | None:
    return first_words(text, least, most)


def _n_words(text: str, n: int) -> str | None:
    return first_words(text, n, n)


def _max_chars(text: str, n: int) -> str | None:
    for most in range(len(text[: n + 1].split()), 0, -1):
        shorter = first_words(text, 1, most)
        if shorter is not None and len(shorter) <= n:
            return shorter
    return None


def _max_sentence_words(text: str, n: int) -> str | None:
    kept = [" ".join(sentence) for sentence in _sentences(text) if len(sentence) <= n]
    return " ".join(kept) if kept else first_words(text, 1, n)


def _n_sentences(text: str, n: int, how: str = "exactly") -> str | None:
    sentences = _sentences(text)
    if how == "at_least" or len(sentences) < n:
        return text if how != "exactly" else None
    return " ".join(" ".join(sentence) for sentence in sentences[:n])


def _pieces(text: str) -> list[str]:
    """Return the items of a list in a text, its lines, or its sentences: the first of which there are several."""
    lines = lines_of(text)
    items = [ITEM.sub("", line, count=1) for line in lines if ITEM.match(line)]
    return next((some for some in (items, lines) if len(some) > 1), [" ".join(one) for one in _sentences(text)])


def _laid_out(text: str, n: int, how: str, mark: Callable[[int], str], between: str = "\n") -> str | None:
    """Return ``n`` pieces of a text, each behind its mark; None if there are fewer."""
    pieces = _pieces(text)
    if len(pieces) < n or n == 0:
        return None
    kept = pieces if how == "at_least" else pieces[:n]
    return between.join(mark(place) + piece for place, piece in enumerate(kept, 1))


def _n_paragraphs(text: str, n: int, how: str = "exactly") -> str | None:
    return _laid_out(text, n, how, lambda _: "", "\n\n")


def _n_lines(text: str, n: int, how: str = "exactly") -> str | None:
    return _laid_out(text, n, how, lambda _: "")


def _n_bullets(text: str, n: int, how: str = "exactly") -> str | None:
    return _laid_out(text, n, how, lambda _: "- ")


def _numbered_list(text: str, n: int) -> str | None:
    return _laid_out(text, n, "exactly", lambda place: f"{place}. ")


def _single_line(text: str) -> str:
    return " ".join(ITEM.sub("", line, count=1) for line in lines_of(text))


def _ascii_only(text: str) -> str:
    plain = text.translate(str.maketrans("“”‘’–—…", "\"\"''--."))
    return unicodedata.normalize("NFKD", plain).encode("ascii", "ignore").decode()


def _no_digits(text: str) -> str | None:
    spelt = re.sub(r"(?<![\d.,])\d{1,2}(?![\d%]|[.,]\d)", lambda found: _in_words(found[0]), text)
    return None if any(sign.isdigit() for sign in spelt) else spelt


def _in_words(number: str) -> str:
    return SMALL[int(number)] if int(number) < len(SMALL) else number


def _title_case(text: str) -> str:
    return re.sub(r"(?<!\S)(\W*)(\w)", lambda found: found[1] + found[2].upper(), text)


def _starts_with(text: str, phrase: str) -> str:
    first = text.split(maxsplit=1)[0]
    if first.lower() in OPENERS:
        text = text[0].lower() + text[1:]
    return f"{phrase}, {text}" if phrase[-1].isalnum() else f"{phrase} {text}"


def _ends_with(text: str, phrase: str) -> str:
    end = phrase[0].upper() + phrase[1:]
    return f"{text} {end}." if end[-1].isalnum() else f"{text} {end}"


def _quotation(text: str) -> str:
    return '"' + text.replace('"', "").strip() + '"'


def _no_commas(text: str) -> str:
    return re.sub("[,，、،]", "", text)


def _sentences(text: str) -> list[list[str]]:
    return sentences_of(" ".join(lines_of(text)))


REPAIRS: dict[str, Repair] = {
    "max_sentence_words": _max_sentence_words,
    "n_sentences": _n_sentences,
    "words_between": _words_between,
    "n_words": _n_words,
    "max_words": _max_words,
    "max_chars": _max_chars,
    "n_paragraphs": _n_paragraphs,
    "n_lines": _n_lines,
    "n_bullets": _n_bullets,
    "numbered_list": _numbered_list,
    "single_line": _single_line,
    "ascii_only": _ascii_only,
    "no_digits": _no_digits,
    "starts_with": _starts_with,
    "ends_with": _ends_with,
    "no_commas": _no_commas,
    "title_case": _title_case,
    "lowercase": lambda text: text.lower(),
    "uppercase": lambda text: text.upper(),
    "quotation": _quotation,
}
