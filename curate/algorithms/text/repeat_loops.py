"""Compiled loops that find repetitions in a text: of lines, paragraphs and n-grams of words, by their 64-bit hashes."""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.letter_classes import ALONE, SPACE, WORD
from curate.algorithms.text.text_loops import character, longest_text, stand_in

PRIME, ODD = np.uint64(0x100000001B3), np.uint64(0x9E3779B97F4A7C15)
SEED = np.uint64(0xCBF29CE484222325)


class HashTable(NamedTuple):
    """A hash table with linear probing that many texts use in turn: entries without the text's ``stamp`` are free.

    Attributes:
        keys: The keys.
        stamps: The text that each entry is of.
        stamp: The number of this text.
        mask: The size in use less one, a power of two less one.
    """

    keys: np.ndarray
    stamps: np.ndarray
    stamp: int
    mask: np.uint64


class Ngrams(NamedTuple):
    """The n-grams of a text.

    Attributes:
        keys: Their hashes in the first ``count`` places.
        count: How many there are.
        n: How many words each has.
        begins: The character at which each word begins.
        stops: The character after each word.
    """

    keys: np.ndarray
    count: int
    n: int
    begins: np.ndarray
    stops: np.ndarray


@compiled
def mixed(key: np.uint64) -> np.uint64:
    """Return a hash of ``key``: each bit depends on all bits of the key."""
    key = (key ^ (key >> np.uint64(32))) * ODD
    return key ^ (key >> np.uint64(29))


@compiled
def slot(table: HashTable, key: np.uint64) -> np.int64:
    """Return the index of a key in a table, or of the free entry where it would be put."""
    at = np.int64(key & table.mask)
    while table.stamps[at] == table.stamp and table.keys[at] != key:
        at = (at + 1) & np.int64(table.mask)
    return at


@compiled
def table_size(count: int) -> int:
    """Return a power of two, at least twice ``count``."""
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@compiled
def read_units(data: np.ndarray, at: int, end: int, paragraphs: bool, keys: np.ndarray, sizes: np.ndarray) -> int:
    """Write hashes of the lines of a text that are not blank, or of its ``paragraphs``; return how many there are.

    A paragraph is a run of lines that are not blank. ``sizes`` are their characters, without line breaks and white
    space at the ends of lines.
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
    """Fill rows with the columns ``text_counts.REPEATS``, of lines or of ``paragraphs``."""
    most = longest_text(ends, low, high) // 2 + 1
    units, sizes = np.empty(most, np.uint64), np.empty(most, np.int64)
    keys, stamps = np.empty(table_size(most), np.uint64), np.zeros(table_size(most), np.int64)
    for row in range(low, high):
        count = read_units(data, ends[row], ends[row + 1], paragraphs, units, sizes)
        table = HashTable(keys, stamps, row - low + 1, np.uint64(table_size(count) - 1))
        found = out[row]
        found[:] = 0
        found[0] = count
        for unit in range(count):
            found[2] += sizes[unit]
            key = mixed(units[unit])
            at = slot(table, key)
            if stamps[at] == table.stamp:
                found[1] += 1
                found[3] += sizes[unit]
            keys[at], stamps[at] = key, table.stamp


@compiled
def read_words(
    data: np.ndarray, at: int, end: int, kinds: np.ndarray, keys: np.ndarray, begins: np.ndarray, stops: np.ndarray
) -> tuple[int, int]:
    """Write hashes of the words and punctuation marks of a text, and the characters they begin at and end before.

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
        while goes_on and at < end and data[at] < 0x80 and kinds[data[at]] & WORD:  # a fast path: most of most texts
            key = (key ^ np.uint64(data[at])) * PRIME
            at += 1
        place += at - begun
        keys[count - 1], stops[count - 1] = key, place
        within = goes_on
    return count, place


@compiled
def as_ngrams(keys: np.ndarray, count: int, n: int) -> int:
    """Turn the hashes of ``count`` words into those of their n-grams, in place; return how many there are."""
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
    """Fill rows with the columns ``text_counts.NGRAMS``: of all repeated n-grams or, if ``top``, the most frequent."""
    most = longest_text(ends, low, high) + 1
    grams, begins, stops = np.empty(most, np.uint64), np.empty(most, np.int64), np.empty(most, np.int64)
    size = table_size(most)
    keys, stamps, times = np.empty(size, np.uint64), np.zeros(size, np.int64), np.empty(size, np.int64)
    for row in range(low, high):
        words, characters = read_words(data, ends[row], ends[row + 1], kinds, grams, begins, stops)
        count = as_ngrams(grams, words, n)
        table = HashTable(keys, stamps, row - low + 1, np.uint64(table_size(count) - 1))
        ngrams = Ngrams(grams, count, n, begins, stops)
        found = out[row]
        found[0] = characters
        found[1] = top_ngram(ngrams, table, times) if top else repeated_ngrams(ngrams, table)


@compiled
def top_ngram(ngrams: Ngrams, table: HashTable, times: np.ndarray) -> int:
    """Return the characters of the most frequent n-gram (of several, the first), times its occurrences; 0 for once."""
    for gram in range(ngrams.count):
        at = slot(table, ngrams.keys[gram])
        times[at] = times[at] + 1 if table.stamps[at] == table.stamp else 1
        table.keys[at], table.stamps[at] = ngrams.keys[gram], table.stamp
    most, first = 1, -1
    for gram in range(ngrams.count):
        often = times[slot(table, ngrams.keys[gram])]
        if often > most:
            most, first = often, gram
    return most * (ngrams.stops[first + ngrams.n - 1] - ngrams.begins[first]) if first >= 0 else 0


@compiled
def repeated_ngrams(ngrams: Ngrams, table: HashTable) -> int:
    """Return the characters of the words of repeated n-grams; after one that is found, the next begins after it."""
    gram = covered = 0
    while gram < ngrams.count:
        at = slot(table, ngrams.keys[gram])
        if table.stamps[at] == table.stamp:
            for word in range(gram, gram + ngrams.n):
                covered += ngrams.stops[word] - ngrams.begins[word]
            gram += ngrams.n
        else:
            table.keys[at], table.stamps[at] = ngrams.keys[gram], table.stamp
            gram += 1
    return covered
