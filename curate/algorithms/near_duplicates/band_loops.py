"""Compiled loops over the rows of a band in order of their keys: which rows share a bucket."""

import numpy as np

from curate.algorithms.compiled import compiled

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@compiled
def buckets(packed: np.ndarray, crowded: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Find the buckets (rows of one key) in sorted ``packed``, each ``key << 32 | row``.

    Returns where those of 2 to ``crowded`` rows begin and end, one line a bucket, the same of the larger ones, and how
    many pairs there are in the former.
    """
    few, many = 0, 0
    small, large, pairs = np.empty((0, 2), np.int64), np.empty((0, 2), np.int64), 0
    for fill in range(2):
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
def pairs_of(
    packed: np.ndarray, small: np.ndarray, keys: np.ndarray, line: np.ndarray, band: int, known: int, out: np.ndarray
) -> int:
    """Write the pairs (``left << 32 | right``, ``left`` below ``right``) of rows that share a bucket.

    ``line[row]`` is the row's in ``keys`` (a column a band). Pairs that share the key of an earlier band as well are
    left out, which came there, and those of two rows below ``known``. Returns how many were written.
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
                while earlier < band and keys[line[left], earlier] != keys[line[right], earlier]:
                    earlier += 1
                if earlier == band:
                    out[used] = np.uint64(left) << HALF | np.uint64(right)
                    used += 1
    return used


@compiled
def merge(label: np.ndarray, pairs: np.ndarray) -> None:
    """Give all rows that pairs connect the least label of any; a row's label is no larger than the row."""
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
def settle(near: np.ndarray, known: int, state: np.ndarray) -> None:
    """Settle rows by near pairs (``right << 32 | left``, sorted, ``left`` below ``right``).

    ``state`` of a row: 0 = not known yet, 1 = stays, 2 = dropped. A row is dropped if it is near to one before it that
    stays, and not known if near to one that is not known. Rows below ``known`` stay.
    """
    state[:known] = 1
    low = 0
    while low < len(near):
        row, high, open_, kept = near[low] >> HALF, low, False, False
        while high < len(near) and near[high] >> HALF == row:
            before = state[near[high] & LOW]
            open_, kept = open_ or before == 0, kept or before == 1
            high += 1
        if row >= known:
            if kept:
                state[row] = 2
            elif open_:
                state[row] = 0
        low = high
