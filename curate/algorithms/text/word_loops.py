"""Compiled loops that count the words between white space; ``text_columns`` and ``word_bytes`` define which."""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.letter_classes import SIZE
from curate.algorithms.text.text_loops import character

SPACE, ALNUM, SPACED, BREAK = 1, 2, 4, 8  # in the table of ``text_columns.word_classes``


@compiled
def count_alnum_words(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, low: int, high: int, out: np.ndarray
) -> None:
    """Fill ``out`` with the words of each text that hold a letter or digit; -1 for characters beyond the table."""
    for row in range(low, high):
        at, end = ends[row], ends[row + 1]
        count, counted = 0, False
        while at < end:
            if data[at] < 0x80:
                kind = kinds[data[at]]
                at += 1
            else:
                code, at = character(data, at)
                if code >= SIZE:
                    count = -1
                    break
                kind = kinds[code]
            alnum = (kind & ALNUM) > 0  # no branches: most characters would be guessed wrong at the ends of words
            count += alnum & (not counted)
            counted = (counted | alnum) & ((kind & SPACE) == 0)
        out[row] = count


@compiled
def count_full_lines(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, low: int, high: int, out: np.ndarray
) -> None:
    """Fill ``out`` with the lines of each text that are not blank."""
    for row in range(low, high):
        at, end = ends[row], ends[row + 1]
        count, counted = 0, False
        while at < end:
            if data[at] < 0x80:
                kind = kinds[data[at]]
                at += 1
            else:
                code, at = character(data, at)
                kind = kinds[code] if code < SIZE else 0  # no white space beyond
            full = kind & (SPACE | BREAK) == 0
            count += full & (not counted)
            counted = (counted | full) & (kind & BREAK == 0)
        out[row] = count


@inlined
def is_spaced(data: np.ndarray, at: int, kinds: np.ndarray) -> bool:
    """Return whether the character that begins at a byte belongs to a script with spaces between words."""
    code, _ = character(data, at)
    return kinds[code] & SPACED > 0 if code < SIZE else 0xE0100 <= code < 0xE01F0  # beyond: only variation selectors


@compiled
def begin_with(
    data: np.ndarray, ends: np.ndarray, phrases: np.ndarray, stops: np.ndarray, kinds: np.ndarray, out: np.ndarray
) -> None:
    """Fill ``out`` with whether each text begins with its phrase, behind which no letter of its last word follows."""
    for row in range(len(out)):
        at, low, size = ends[row], stops[row], stops[row + 1] - stops[row]
        after = at + size
        out[row] = same_bytes(data, at, ends[row + 1], phrases, low, size)
        if out[row] and size and after < ends[row + 1] and goes_on(phrases, low, low + size, kinds):
            out[row] = not is_spaced(data, after, kinds)


@compiled
def end_with(
    data: np.ndarray, ends: np.ndarray, phrases: np.ndarray, stops: np.ndarray, kinds: np.ndarray, out: np.ndarray
) -> None:
    """Fill ``out`` with whether each text ends with its phrase, before which no letter of its first word stands."""
    for row in range(len(out)):
        low, size = stops[row], stops[row + 1] - stops[row]
        at = ends[row + 1] - size
        out[row] = at >= ends[row] and same_bytes(data, at, ends[row + 1], phrases, low, size)
        if out[row] and size and goes_on(data, ends[row], at, kinds):
            out[row] = not is_spaced(phrases, low, kinds)


@inlined
def same_bytes(data: np.ndarray, at: int, end: int, phrases: np.ndarray, low: int, size: int) -> bool:
    """Return whether a phrase's bytes are those of a text from a byte on."""
    if at + size > end:
        return False
    same = 0
    while same < size and data[at + same] == phrases[low + same]:
        same += 1
    return same == size


@compiled
def count_whole(
    data: np.ndarray, ends: np.ndarray, phrases: np.ndarray, stops: np.ndarray, kinds: np.ndarray, out: np.ndarray
) -> None:
    """Fill ``out`` with how often each text has its phrase as whole words; 0 for an empty phrase."""
    for row in range(len(out)):
        out[row], low, size = 0, stops[row], stops[row + 1] - stops[row]
        if size == 0:
            continue
        last = low + size - 1
        while phrases[last] & 0xC0 == 0x80:
            last -= 1
        starts, closes = is_spaced(phrases, low, kinds), is_spaced(phrases, last, kinds)
        at, end, count = ends[row], ends[row + 1], 0
        while at + size <= end:
            same = 0
            while same < size and data[at + same] == phrases[low + same]:
                same += 1
            if same == size and not (starts and goes_on(data, ends[row], at, kinds)):
                if not (closes and at + size < end and is_spaced(data, at + size, kinds)):
                    count += 1
                    at += size
                    continue
            at += 1
        out[row] = count


@inlined
def goes_on(data: np.ndarray, begin: int, at: int, kinds: np.ndarray) -> bool:
    """Return whether the character before a byte is ``is_spaced``."""
    if at == begin:
        return False
    at -= 1
    while data[at] & 0xC0 == 0x80:
        at -= 1
    return is_spaced(data, at, kinds)


@compiled
def count_spaced_words(data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
    """Fill ``out`` with the words of each text between ASCII's white space."""
    for row in range(low, high):
        count, before = 0, True
        for at in range(ends[row], ends[row + 1]):
            space = data[at] == 32 or np.uint8(data[at] - np.uint8(9)) < 5  # tab to carriage return
            count += before and not space
            before = space
        out[row] = count
