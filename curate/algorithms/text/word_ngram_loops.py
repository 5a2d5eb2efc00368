"""Compiled loops that hash the words of texts and count the n-grams that repeat an earlier one."""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.letter_classes import SIZE
from curate.algorithms.text.repeat_loops import PRIME, SEED, HashTable, as_ngrams, mixed, slot, table_size
from curate.algorithms.text.text_loops import character, longest_text
from curate.algorithms.text.word_forms import ALONE, ODD, SPACE


@compiled
def repeated_share(
    data: np.ndarray, ends: np.ndarray, forms: np.ndarray, normal: bool, n: int, low: int, high: int, out: np.ndarray
) -> None:
    """Fill ``out`` with the share of each text's word n-grams that repeat an earlier one; 0 for fewer than n words.

    ``forms`` is ``word_forms``. A text with an odd code point gets -1, unless the texts are ``normal`` already.
    """
    grams = np.empty(longest_text(ends, low, high) + 1, np.uint64)
    keys, stamps = np.empty(table_size(512), np.uint64), np.zeros(table_size(512), np.int64)
    for row in range(low, high):
        words = read_words(data, ends[row], ends[row + 1], forms, normal, grams)
        if words < 0:
            out[row] = -1
            continue
        count = as_ngrams(grams, words, n)
        size = table_size(count)
        if size > len(keys):
            keys, stamps = np.empty(size, np.uint64), np.zeros(size, np.int64)
        table = HashTable(keys, stamps, row - low + 1, np.uint64(size - 1))
        repeats = 0
        for gram in range(count):
            at = slot(table, grams[gram])
            repeats += stamps[at] == table.stamp
            keys[at], stamps[at] = grams[gram], table.stamp
        out[row] = repeats / max(count, 1)


@compiled
def read_words(data: np.ndarray, at: int, end: int, forms: np.ndarray, normal: bool, keys: np.ndarray) -> int:
    """Write hashes of the words of a text; return how many there are, -1 for an odd code point unless ``normal``."""
    count, size, key, eight = 0, 0, SEED, np.uint64(0)
    while at < end:
        if data[at] < 0x80:
            form = forms[data[at]]
            at += 1
        else:
            code, at = character(data, at)
            form = forms[code] if code < SIZE else ODD
            if form == ODD:
                if not normal:
                    return -1
                form = code
        if form == SPACE or form >= ALONE:
            if size:
                keys[count] = as_key(key, eight, size)
                count += 1
            size, key, eight = 0, SEED, np.uint64(0)
            if form >= ALONE:
                keys[count] = as_key(SEED, np.uint64(form), 0)
                count += 1
        elif form < 0x80:
            eight = eight << np.uint64(8) | np.uint64(form)
            size += 1
            if size & 7 == 0:
                key, eight = mixed(key ^ eight), np.uint64(0)
        else:  # its bits above a byte keep it apart from ASCII
            key, eight, size = mixed(mixed(key ^ eight) + np.uint64(form)), np.uint64(0), (size | 7) + 1
    if size:
        keys[count] = as_key(key, eight, size)
        count += 1
    return count


@inlined
def as_key(key: np.uint64, eight: np.uint64, size: int) -> np.uint64:
    """Return the hash of a word: of what came before its last eight bytes, these, and its size."""
    return mixed((key + np.uint64(size) * PRIME) ^ eight)
