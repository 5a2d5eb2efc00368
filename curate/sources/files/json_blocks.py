"""Read a block of JSON Lines at once, where each line is just one row and no key of a row is there twice."""

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from curate.sources.files.raw_row import BOM, Raw
from curate.sources.files.row_blocks import Block, Columns

MOST_LAYOUTS = 20  # sets of keys in a block of lines that is read at once
OPEN, CLOSE, LINE_END, RETURN, QUOTE, BACKSLASH = b'{}\n\r"\\'
AT_ONCE = 2**18  # bytes that are looked at together: what is made of them stays in the processor's cache
_decode_lines = msgspec.json.Decoder(dict[str, Any]).decode_lines
_FLAT = {str, int, float, bool, type(None)}


def rows_of_lines(block: bytes, number: int, file: str) -> Block | None:
    """Return the rows of a block of lines; None where a line is not just one row, or a key may be there twice.

    Args:
        block: The lines.
        number: How many lines of the file come before.
        file: The file's name, where the source has several.
    """
    body = block.removeprefix(BOM) if number == 0 else block
    lines = _plain_lines(body)
    if not lines:
        return None
    try:
        rows = _decode_lines(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if len(rows) != lines:
        return None
    keys = Counter(map(tuple, rows))
    if len(keys) == 1 and rows[0]:
        columns = {key: [row[key] for row in rows] for key in rows[0]}
        if _has_no_more(body, columns.values()) or _are_once(body, keys):
            return Columns(columns, number, file)
        return None
    if len(keys) > MOST_LAYOUTS or not _are_once(body, keys):
        return None
    return [Raw(line, row, "", None, "", file) for line, row in enumerate(rows, number + 1)]


def _has_no_more(body: bytes, columns: Iterable[list[Any]]) -> bool:
    """Return whether lines surely hold no more than their rows: a key that is there twice has quotes of its own."""
    held, quotes = np.frombuffer(body, np.uint8), 0
    for values in columns:
        found = _quotes(values)
        if found is None:
            return False
        quotes += 2 * len(values) + found
    if BACKSLASH in body:
        places = _places(held, BACKSLASH)
        if (np.diff(places) == 1).any():
            return False  # a quote behind two of them may be one that ends a text
        quotes += int(np.count_nonzero(held[places + 1] == QUOTE))
    pieces = range(0, len(held), AT_ONCE)
    return quotes == sum(int(np.count_nonzero(held[at : at + AT_ONCE] == QUOTE)) for at in pieces)


def _quotes(values: list[Any]) -> int | None:
    """Return how many quotes are around the texts in values; None where one of them is a mapping."""
    kinds = set(map(type, values))
    while kinds == {list}:
        values = list(chain.from_iterable(values))
        kinds = set(map(type, values))
    if kinds == {str}:
        return 2 * len(values)
    return 2 * sum([type(value) is str for value in values]) if kinds <= _FLAT else None


def _are_once(body: bytes, keys: Counter[tuple[str, ...]]) -> bool:
    """Return whether no row has a key twice, as far as that is clear from how often each key stands in the lines."""
    escaped = BACKSLASH in body and (b"\\u00" in body or b"\\/" in body)
    return all(
        _is_once_a_line(body, key, sum(count for names, count in keys.items() if key in names), escaped)
        for key in set(chain.from_iterable(keys))
    )


def _is_once_a_line(body: bytes, key: str, rows: int, escaped: bool) -> bool:
    """Return whether a key that a number of rows have stands that often in their lines, and in none of them twice.

    ``escaped`` is whether a letter of a key may be written as an escape.
    """
    quoted = quoted_key(key)
    if body.count(quoted) != rows:
        return False
    if key.isascii() and not escaped:
        return True  # no row has the key written with an escape, so none has it in another's place
    ends = _places(np.frombuffer(body, np.uint8), LINE_END)
    lines = np.searchsorted(ends, [found.start() for found in re.finditer(re.escape(quoted), body)])
    return bool((lines[1:] > lines[:-1]).all())


def _plain_lines(body: bytes) -> int:
    """Return how many lines there are; 0 unless each ends with the end of a mapping, and begins with one."""
    held = np.frombuffer(body, np.uint8)
    ends = _places(held, LINE_END)
    last = ends[-1:] + 1 == len(held)
    between = ends[:-1] if last.any() else ends
    before = between - (held[between - 1] == RETURN)
    plain = body.startswith(b"{") and (held[before - 1] == CLOSE).all() and (held[between + 1] == OPEN).all()
    return len(between) + 1 if plain else 0


def _places(held: np.ndarray, sign: int) -> np.ndarray:
    """Return where a sign is."""
    pieces = range(0, len(held), AT_ONCE)
    found = [np.flatnonzero(held[at : at + AT_ONCE] == sign) + at for at in pieces]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


@lru_cache(maxsize=1024)
def quoted_key(key: str) -> bytes:
    """Return a key as it stands in JSON, where nothing in it is written as an escape."""
    return b'"%b"' % key.encode(errors="replace")
