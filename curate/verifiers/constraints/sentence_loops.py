"""Compiled loops that count sentences and their words, as ``text_units.sentence_lengths`` defines them."""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.letter_classes import SIZE
from curate.algorithms.text.text_loops import character

# Bits of the table of ``sentence_counts.classes``.
SPACE, ALNUM, ALPHA, DIGIT, STOP, CLOSER, OPENER, BREAK = (1 << bit for bit in range(8))
DOT, BRACKET, LINE_FEED, DOTTED_I = 0x2E, 0x29, 0x0A, 0x130


@compiled
def count_sentences(
    data: np.ndarray,
    ends: np.ndarray,
    kinds: np.ndarray,
    abbreviations: np.ndarray,
    low: int,
    high: int,
    out: np.ndarray,
) -> None:
    """Fill rows with the number of sentences and the words of the longest; -1 for characters beyond the table."""
    for row in range(low, high):
        at, end = ends[row], ends[row + 1]
        sentences = most = words = feeds = 0
        while at < end:
            code, after = character(data, at)
            kind = kinds[code] if code < SIZE else 0
            if kind & SPACE:
                feeds += code == LINE_FEED
                if feeds == 2 and words:  # the paragraph ends
                    sentences, most, words = sentences + 1, max(most, words), 0
                at = after
                continue
            feeds = 0
            stop, last, lettered = read_token(data, at, end, kinds)
            if stop < 0:
                sentences, most, words = -1, -1, 0
                break
            words += lettered
            if words and last & (STOP | CLOSER) and not (words == 1 and is_list_number(data, at, stop, kinds)):
                if ends_sentence(data, at, stop, kinds, abbreviations):
                    sentences, most, words = sentences + 1, max(most, words), 0
            at = stop
        out[row, 0], out[row, 1] = sentences + (words > 0), max(most, words)


@inlined
def read_token(data: np.ndarray, at: int, end: int, kinds: np.ndarray) -> tuple[int, int, bool]:
    """Return the byte after a token, the class of its last character, and whether it holds a letter or digit.

    The byte is -1 where a character is beyond the table.
    """
    last, lettered = 0, False
    while at < end and not last & BREAK:
        code, after = character(data, at)
        if code >= SIZE:
            return -1, 0, False
        kind = int(kinds[code])
        if kind & SPACE:
            break
        last, at = kind, after
        lettered |= (kind & ALNUM) > 0
        while not last & BREAK and at < end and data[at] < 0x80 and kinds[data[at]] & ALNUM:  # a fast path
            last = int(kinds[data[at]])
            lettered, at = True, at + 1
    return at, last, lettered


@inlined
def is_list_number(data: np.ndarray, begin: int, end: int, kinds: np.ndarray) -> bool:
    """Return whether a token is digits before any dots and closing brackets."""
    while end > begin and (data[end - 1] == DOT or data[end - 1] == BRACKET):
        end -= 1
    at = begin
    while at < end:
        code, at = character(data, at)
        if not kinds[code] & DIGIT:
            return False
    return end > begin


@inlined
def ends_sentence(data: np.ndarray, begin: int, end: int, kinds: np.ndarray, abbreviations: np.ndarray) -> bool:
    """Return whether a sentence ends after a token (``text_units.ends_sentence``)."""
    while True:  # leave closing quotes and brackets
        if end == begin:
            return False
        last = end - 1
        while data[last] & 0xC0 == 0x80:
            last -= 1
        kind = kinds[character(data, last)[0]]
        if not kind & CLOSER:
            break
        end = last
    if not kind & STOP or data[last] != DOT:
        return (kind & STOP) > 0
    code, after = character(data, begin)
    while kinds[code] & OPENER:
        begin = after
        code, after = character(data, begin)
    if after == last and kinds[code] & ALPHA and code != DOTTED_I and code | 0x20 != 0x69:  # an initial, but not "I."
        return False
    if end - begin > 7:
        return True
    key = np.uint64(0)
    for at in range(begin, end):
        small = data[at] + 32 if 65 <= data[at] <= 90 else data[at]
        key = key << np.uint64(8) | np.uint64(small)
    for place in range(len(abbreviations)):
        if abbreviations[place] == key:
            return False
    return True
