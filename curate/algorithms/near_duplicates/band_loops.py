"""Compiled loops over the rows of a band sorted by key: find the buckets, list their pairs, merge and decide rows."""

import numpy as np

from curate.algorithms.compiled import compiled

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
RANGES, SHIFT = 16, np.uint32(28)  # ranges of keys that are sorted one by one; bits of a key behind those of its range
UNDECIDED, KEPT, DROPPED = 0, 1, 2


@compiled
def by_key_range(keys: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Write ``key << 32 | row`` of each row into ``packed``, by ``RANGES`` ranges of keys; return where each ends."""
    place = np.zeros(RANGES + 1, np.int64)
    for key in keys:
        place[np.int64(key >> SHIFT) + 1] += 1
    for number in range(RANGES):
        place[number + 1] += place[number]
    for row in range(len(keys)):
        number = np.int64(keys[row] >> SHIFT)
        packed[place[number]] = np.uint64(keys[row]) << HALF | np.uint64(row)
        place[number] += 1
    return place[:RANGES]


@compiled
def find_buckets(packed: np.ndarray, crowded: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the buckets (runs of one key) in sorted ``packed``, each ``key << 32 | row``.

    Returns the (begin, end) of the buckets of 2 to ``crowded`` rows, one line a bucket, the same of the larger ones,
    and how many pairs the former hold.
    """
    few, many = 0, 0
    small, large, pairs = np.empty((0, 2), np.int64), np.empty((0, 2), np.int64), 0
    for fill in range(2):  # count first, then fill arrays of that size
        few, many, low = 0, 0, 0
        while low < len(packed):
            high = low + 1
            while high < len(packed) and packed[high] >> HALF == packed[low] >> HALF:
                high += 1
            size = high - low
            if size > crowded:
                if fill:
                    large[many, 0], large[many, 1] = low, high
                many += 1
            elif size > 1:
                if fill:
                    small[few, 0], small[few, 1] = low, high
                    pairs += size * (size - 1) // 2
                few += 1
            low = high
        if not fill:
            small, large = np.empty((few, 2), np.int64), np.empty((many, 2), np.int64)
    return small, large, pairs


@compiled
def bucket_pairs(
    packed: np.ndarray,
    small: np.ndarray,
    keys: np.ndarray,
    text_row: np.ndarray,
    band: int,
    known: int,
    out: np.ndarray,
) -> int:
    """Write the pairs (``left << 32 | right``, ``left < right``) of rows that share a bucket; return how many.

    ``keys[text_row[row]]`` are the keys of a row, one a band. Left out are pairs that share the key of an earlier band
    as well, which that band lists, and pairs of two rows below ``known``.
    """
    used = 0
    for bucket in range(len(small)):
        for high in range(small[bucket, 0] + 1, small[bucket, 1]):
            right = np.int64(packed[high] & LOW)
            if right < known:
                continue
            for low in range(small[bucket, 0], high):
                left = np.int64(packed[low] & LOW)
                earlier = 0
                while earlier < band and keys[text_row[left], earlier] != keys[text_row[right], earlier]:
                    earlier += 1
                if earlier == band:
                    out[used] = np.uint64(left) << HALF | np.uint64(right)
                    used += 1
    return used


@compiled
def merge_labels(label: np.ndarray, pairs: np.ndarray) -> None:
    """Give all rows of a connected component the least label in it (union-find); no label may exceed its row."""
    for pair in pairs:
        one, two = np.int64(pair >> HALF), np.int64(pair & LOW)
        while label[one] != one:
            label[one] = label[label[one]]
            one = np.int64(label[one])
        while label[two] != two:
            label[two] = label[label[two]]
            two = np.int64(label[two])
        label[max(one, two)] = min(one, two)
    for row in range(len(label)):
        label[row] = label[label[row]]


@compiled
def update_states(near: np.ndarray, known: int, state: np.ndarray) -> None:
    """Update the states of rows by near pairs (``right << 32 | left``, sorted, ``left < right``).

    A row is dropped if it is near to a kept row before it, else undecided if it is near to an undecided one. Rows below
    ``known`` are kept.
    """
    state[:known] = KEPT
    low = 0
    while low < len(near):
        row, high, undecided, kept = near[low] >> HALF, low, False, False
        while high < len(near) and near[high] >> HALF == row:
            before = state[near[high] & LOW]
            undecided, kept = undecided or before == UNDECIDED, kept or before == KEPT
            high += 1
        if row >= known:
            if kept:
                state[row] = DROPPED
            elif undecided:
                state[row] = UNDECIDED
        low = high
