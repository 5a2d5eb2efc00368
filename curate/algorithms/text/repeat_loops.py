"""Compiled loops that find what comes again in a text: lines, paragraphs, n-grams of words.

``curate/algorithms/text/text_counts.py`` calls them. What is compared are hashes of 64 bits.
"""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.letter_classes import ALONE, SPACE, WORD
from curate.algorithms.text.text_loops import character, stand_in

PRIME, ODD = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
SEED = np.uint64(0xCBF29CE484222325)


@compiled
def mixed(key: np.uint64) -> np.uint64:
    """A hash whose every bit hangs on every bit of ``key``."""
    key = (key ^ (key >> np.uint64(32))) * ODD
    return key ^ (key >> np.uint64(29))


@compiled
def slot(keys: np.ndarray, stamps: np.ndarray, stamp: int, mask: np.uint64, key: np.uint64) -> int:
    """The place of a key in a table, or the free one it would have: those without this text's ``stamp`` are free."""
    at = np.int64(key & mask)
    while stamps[at] == stamp and keys[at] != key:
        at = (at + 1) & np.int64(mask)
    return at


@compiled
def table_size(count: int) -> int:
    """A power of two, at least twice so many."""
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@compiled
def longest_text(ends: np.ndarray, low: int, high: int) -> int:
    """The bytes of the longest of some texts."""
    most = 0
    for row in range(low, high):
        most = max(most, ends[row + 1] - ends[row])
    return most


@compiled
def read_units(data: np.ndarray, at: int, end: int, paragraphs: bool, keys: np.ndarray, sizes: np.ndarray) -> int:
    """Hash the lines of a text that are not blank (or its paragraphs: such lines up to a blank one); how many.

    ``sizes`` are their characters, without line breaks and white space at the ends of lines.
    """
    count, within = 0, False
    while at < end:
        stop = at
        while stop < end and data[stop] != 10 and data[stop] != 13:
            stop += 1
        low, high = at, stop
        at = stop + (2 if stop + 1 < end and data[stop] == 13 and data[stop + 1] == 10 else 1)
        while low < high and data[low] <= 32:
            low += 1
        while low < high and data[high - 1] <= 32:
            high -= 1
        if low == high:
            within = False
            continue
        if not (paragraphs and within):
            keys[count], sizes[count] = SEED, 0
            count += 1
        within = True
        key, size = keys[count - 1], 0
        for place in range(low, high):
            key = (key ^ np.uint64(data[place])) * PRIME
            size += (data[place] & 0xC0) != 0x80
        keys[count - 1] = (key ^ np.uint64(10)) * PRIME
        sizes[count - 1] += size
    return count


@compiled
def count_repeats(data: np.ndarray, ends: np.ndarray, paragraphs: bool, low: int, high: int, out: np.ndarray) -> None:
    """Fill rows with lines (or ``paragraphs``), those there before, the characters of all, and of those."""
    most = longest_text(ends, low, high) // 2 + 1
    units, sizes = np.empty(most, np.uint64), np.empty(most, np.int64)
    keys, stamps = np.empty(table_size(most), np.uint64), np.zeros(table_size(most), np.int64)
    for row in range(low, high):
        count = read_units(data, ends[row], ends[row + 1], paragraphs, units, sizes)
        mask, stamp = np.uint64(table_size(count) - 1), row - low + 1
        found = out[row]
        found[:] = 0
        found[0] = count
        for unit in range(count):
            found[2] += sizes[unit]
            key = mixed(units[unit])
            at = slot(keys, stamps, stamp, mask, key)
            if stamps[at] == stamp:
                found[1] += 1
                found[3] += sizes[unit]
            keys[at], stamps[at] = key, stamp


@compiled
def read_words(
    data: np.ndarray, at: int, end: int, kinds: np.ndarray, keys: np.ndarray, begins: np.ndarray, stops: np.ndarray
) -> tuple[int, int]:
    """Hash the words and the marks between them, with the characters they begin at and end before.

    Returns how many there are, and the characters of the text. A character of a script without spaces is a word, and
    so is every mark but a single one within a word: "3.14", "don't".
    """
    count = place = 0
    within = False
    while at < end:
        code, at = character(data, at)
        kind = kinds[stand_in(code)]
        place += 1
        if kind & SPACE:
            within = False
            continue
        goes_on = kind & (WORD | ALONE) == WORD
        if within and not kind & WORD and at < end:
            after, _ = character(data, at)
            goes_on = kinds[stand_in(after)] & (WORD | ALONE) == WORD
        if not (within and goes_on):
            keys[count], begins[count] = SEED, place - 1
            count += 1
        key = (keys[count - 1] ^ np.uint64(code)) * PRIME
        begun = at
        while goes_on and at < end and data[at] < 0x80 and kinds[data[at]] & WORD:  # most of most texts
            key = (key ^ np.uint64(data[at])) * PRIME
            at += 1
        place += at - begun
        keys[count - 1], stops[count - 1] = key, place
        within = goes_on
    return count, place


@compiled
def as_ngrams(keys: np.ndarray, count: int, n: int) -> int:
    """Turn the hashes of ``count`` words into those of their n-grams, in place; how many there are."""
    power = np.uint64(1)
    for _ in range(n - 1):
        power *= ODD
    whole = np.uint64(0)
    total = count - n + 1
    if total < 1:
        return 0
    for word in range(n - 1):
        whole = whole * ODD + keys[word]
    for gram in range(total):
        whole = whole * ODD + keys[gram + n - 1]
        first = keys[gram]
        keys[gram] = mixed(whole)
        whole -= first * power
    return total


@compiled
def count_ngrams(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, n: int, top: bool, low: int, high: int, out: np.ndarray
) -> None:
    """Fill rows with a text's characters and those of the n-grams that were there before, or (``top``) of the one that
    is there most often, each time it is.
    """  # noqa: D205 (one sentence)
    most = longest_text(ends, low, high) + 1
    grams, begins, stops = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    size = table_size(most)
    keys, stamps, times = np.empty(size, np.uint64), np.zeros(size, np.int64), np.empty(size, np.int64)
    for row in range(low, high):
        words, characters = read_words(data, ends[row], ends[row + 1], kinds, grams, begins, stops)
        count = as_ngrams(grams, words, n)
        mask, stamp = np.uint64(table_size(count) - 1), row - low + 1
        if top:
            covered = top_ngram(grams, count, n, begins, stops, keys, stamps, stamp, mask, times)
        else:
            covered = repeated_ngrams(grams, count, n, begins, stops, keys, stamps, stamp, mask)
        found = out[row]
        found[0], found[1] = characters, covered


@compiled
def top_ngram(
    grams: np.ndarray,
    count: int,
    n: int,
    begins: np.ndarray,
    stops: np.ndarray,
    keys: np.ndarray,
    stamps: np.ndarray,
    stamp: int,
    mask: np.uint64,
    times: np.ndarray,
) -> int:
    """Characters of the n-gram that is there most often (of several, the first), times how often; 0 for once."""
    for gram in range(count):
        at = slot(keys, stamps, stamp, mask, grams[gram])
        times[at] = times[at] + 1 if stamps[at] == stamp else 1
        keys[at], stamps[at] = grams[gram], stamp
    most, first = 1, -1
    for gram in range(count):
        often = times[slot(keys, stamps, stamp, mask, grams[gram])]
        if often > most:
            most, first = often, gram
    return most * (stops[first + n - 1] - begins[first]) if first >= 0 else 0


@compiled
def repeated_ngrams(
    grams: np.ndarray,
    count: int,
    n: int,
    begins: np.ndarray,
    stops: np.ndarray,
    keys: np.ndarray,
    stamps: np.ndarray,
    stamp: int,
    mask: np.uint64,
) -> int:
    """Characters of the words of n-grams that were there before; where one is found, the next begins after it."""
    gram = covered = 0
    while gram < count:
        at = slot(keys, stamps, stamp, mask, grams[gram])
        if stamps[at] == stamp:
            for word in range(gram, gram + n):
                covered += stops[word] - begins[word]
            gram += n
        else:
            keys[at], stamps[at] = grams[gram], stamp
            gram += 1
    return covered
