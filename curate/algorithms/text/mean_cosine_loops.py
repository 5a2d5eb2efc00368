"""Compiled loops for the mean cosine between texts of a group, over their sets of character n-grams."""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.shingle_loops import mix

BASE = np.uint64(0x9E3779B97F4A7C15)  # of the polynomial hash over the characters
ZERO, ONE, EIGHT = (np.uint64(value) for value in (0, 1, 8))


@compiled
def ngrams_of(data: np.ndarray, low: int, high: int, ngram: int, characters: np.ndarray, grams: np.ndarray) -> int:
    """Write a hash of each n-gram of a text in UTF-8 to ``grams``; return how many there are."""
    count, value = 0, ZERO
    for place in range(low, high):
        byte = data[place]
        if place > low and (byte & 0xC0) != 0x80:
            characters[count] = value
            count += 1
            value = ZERO
        value = (value << EIGHT) | np.uint64(byte)
    if high > low:
        characters[count] = value
        count += 1
    power, value = ONE, ZERO
    for place in range(min(count, ngram)):
        value = value * BASE + characters[place]
        power *= BASE
    if not count:
        return 0
    grams[0] = mix(value)
    for place in range(ngram, count):
        value = value * BASE + characters[place] - power * characters[place - ngram]
        grams[place - ngram + 1] = mix(value)
    return max(count - ngram + 1, 1)


@compiled
def mean_cosines(data: np.ndarray, ends: np.ndarray, groups: np.ndarray, ngram: int, out: np.ndarray) -> None:
    """Write for each text the mean cosine of its set of n-grams with those of its group's other texts.

    The cosine of two sets A and B is their common part over the root of the product of their sizes. With a weight of
    1 / sqrt(size) on each n-gram of a set, the cosines of a set with all others sum up to the weights that the others
    give to its n-grams, so that the time is linear in the number of n-grams.

    Args:
        data: The bytes of all texts in UTF-8, one after another.
        ends: Where each text begins, and the last ends.
        groups: The first text of each group, and the number of all texts.
        ngram: The characters of an n-gram; a shorter text is one n-gram.
        out: The result: NaN for a text without characters, or without other texts in its group that have some.
    """
    most = 1
    for group in range(len(groups) - 1):
        most = max(most, ends[groups[group + 1]] - ends[groups[group]])
    size = 2
    while size < 2 * most:
        size *= 2
    keys, weights = np.zeros(size, np.uint64), np.zeros(size, np.float64)
    latest = np.full(size, -1, np.int64)  # the last text of a slot: before the group's first, the slot is free
    slots, characters, grams = np.zeros(most, np.int64), np.zeros(most, np.uint64), np.zeros(most, np.uint64)
    for group in range(len(groups) - 1):
        first, last = groups[group], groups[group + 1]
        width = 2
        while width < 2 * (ends[last] - ends[first]):
            width *= 2
        starts = np.zeros(last - first + 1, np.int64)
        held, filled = 0, 0
        for text in range(first, last):
            count = ngrams_of(data, ends[text], ends[text + 1], ngram, characters, grams)
            filled += count > 0
            begin = held
            for place in range(count):
                value = grams[place]
                slot = np.int64(value & np.uint64(width - 1))
                while latest[slot] >= first and keys[slot] != value:
                    slot = (slot + 1) & (width - 1)
                if latest[slot] == text:
                    continue
                if latest[slot] < first:
                    keys[slot], weights[slot] = value, 0.0
                latest[slot] = text
                slots[held] = slot
                held += 1
            starts[text - first + 1] = held
            if held > begin:
                weight = 1 / np.sqrt(held - begin)
                for at in range(begin, held):
                    weights[slots[at]] += weight
        for text in range(first, last):
            begin, end = starts[text - first], starts[text - first + 1]
            if end == begin or filled < 2:
                out[text] = np.nan
                continue
            weight, total = 1 / np.sqrt(end - begin), 0.0
            for at in range(begin, end):
                total += weights[slots[at]] - weight
            out[text] = weight * total / (filled - 1)
