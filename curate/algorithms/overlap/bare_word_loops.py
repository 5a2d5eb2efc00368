"""Compiled loops of ``bare_words``: rewrite every character of texts to its form in a table, and hash the words."""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.shingle_loops import EIGHT, START, ZERO, mix
from curate.algorithms.text.text_loops import character, put_character

SPACE = 32
ALONE, SLOW, DROPPED = 1 << 24, 1 << 25, 1 << 26  # flags of a form: a word by itself; depends on others; left out
SMALL_D, SMALL_T, FRAC = 0x64, 0x74, (0x66, 0x72, 0x61, 0x63)
TELLING = 3  # letters in a row that make a word one of a language


@inlined
def is_fraction(data: np.ndarray, at: int, high: int, forms: np.ndarray) -> bool:
    """Whether the letter at a byte, the first of a word, stands before all the rest of the word, frac."""
    if at + 5 > high:
        return False
    for place in range(4):
        if forms[data[at + 1 + place]] != FRAC[place]:
            return False
    return at + 5 == high or forms[data[at + 5]] == SPACE


@compiled
def hash_words(data: np.ndarray, low: int, high: int, forms: np.ndarray, words: np.ndarray) -> int:
    """Write the hashes of the words of one text to ``words``; return how many there are.

    The d or t of LaTeX's dfrac and tfrac is passed over: their word is that of frac.
    """
    count, length = 0, 0
    value, eight = START, ZERO  # the hash so far, and up to eight bytes not yet in it
    for place in range(low, high):
        byte = forms[data[place]]
        if byte != SPACE:
            if length == 0 and (byte == SMALL_D or byte == SMALL_T) and is_fraction(data, place, high, forms):
                continue
            eight = (eight << EIGHT) | np.uint64(byte)
            length += 1
            if length & 7 == 0:
                value, eight = mix(value ^ eight), ZERO
        elif length:
            words[count] = mix(value ^ eight)
            count += 1
            length, value, eight = 0, START, ZERO
    if length:
        words[count] = mix(value ^ eight)
        count += 1
    return count


@compiled
def mark_telling(data: np.ndarray, low: int, high: int, forms: np.ndarray, telling: np.ndarray) -> None:
    """Mark the words of one text that have three letters in a row, or a letter beyond ASCII."""
    count, letters, inside = 0, 0, False
    for place in range(low, high):
        byte = forms[data[place]]
        if byte == SPACE:
            count, letters, inside = count + inside, 0, False
            continue
        if not inside:
            telling[count], inside = False, True
        letters = letters + 1 if byte >= 0x61 else 0
        telling[count] |= letters >= TELLING or byte >= 0x80


@compiled
def locate(data: np.ndarray, low: int, high: int, forms: np.ndarray, span: np.ndarray) -> None:
    """Write the first byte of the word numbered ``span[0]`` and the byte after the last of that before ``span[1]``."""
    count, inside = 0, False
    for at in range(low, high):
        if forms[data[at]] == SPACE:
            inside = False
        else:
            if not inside:
                if count == span[0]:
                    span[2] = at - low
                count += 1
                inside = True
            if count == span[1]:
                span[3] = at + 1 - low
        if count > span[1]:
            break


@compiled
def find_slow(data: np.ndarray, ends: np.ndarray, forms: np.ndarray, slow: np.ndarray) -> int:
    """Mark the texts with a character whose form depends on others or is not in the table; return how many."""
    found = 0
    for row in range(len(ends) - 1):
        at, end = ends[row], ends[row + 1]
        slow[row] = False
        while at < end and not slow[row]:
            if data[at] < 0x80:
                at += 1
            else:
                beyond = data[at] >= 0xF0 and (data[at] > 0xF0 or data[at + 1] >= 0xA0)  # from U+20000 on
                code, at = character(data, at)
                slow[row] = beyond or forms[code] & SLOW != 0
        found += slow[row]
    return found


@compiled
def write_words(
    data: np.ndarray,
    ends: np.ndarray,
    forms: np.ndarray,
    slow: np.ndarray,
    other: np.ndarray,
    other_ends: np.ndarray,
    out: np.ndarray,
    out_ends: np.ndarray,
) -> None:
    """Write the texts one after another: ``slow`` ones from ``other``, the rest by ``forms``, ASCII unchanged."""
    used, taken = 0, 0
    for row in range(len(ends) - 1):
        out_ends[row] = used
        if slow[row]:
            for at in range(other_ends[taken], other_ends[taken + 1]):
                out[used] = other[at]
                used += 1
            taken += 1
            continue
        at, end = ends[row], ends[row + 1]
        while at < end:
            if data[at] < 0x80:
                out[used] = data[at]
                used, at = used + 1, at + 1
            else:
                code, at = character(data, at)
                used = write_form(forms[code], out, used)
    out_ends[len(ends) - 1] = used


@compiled
def write_form(form: int, out: np.ndarray, used: int) -> int:
    """Write one character as UTF-8, between spaces if it is a word by itself; return where the next one begins."""
    alone, code = form & ALONE, form & (ALONE - 1)
    if form & DROPPED:
        return used
    if alone:
        out[used] = 0x20
        used += 1
    used = put_character(out, used, code)
    if alone:
        out[used] = 0x20
        used += 1
    return used
