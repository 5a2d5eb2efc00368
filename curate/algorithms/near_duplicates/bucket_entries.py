"""Buckets of rows as flat arrays, one entry for each row of each bucket: count and list the pairs still to compare.

Two entries of a bucket are a pair to compare unless their rows have the same label (``component_labels``: nothing is
learned from comparing them) or the size filter rules them out (one n-gram set is too large to be near the other).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from curate.algorithms.near_duplicates.pair_comparison import HALF, PairSearch, pack_pairs


class BucketEntries(NamedTuple):
    """Rows in buckets, sorted by bucket and then by row (int32 arrays of equal length).

    Attributes:
        bucket: The number of the bucket.
        row: The row, numbered in order of priority.
        size: The number of n-grams of the row; 0 where the size filter is not used.
        size_bound: The largest size that another row may have to be near this one by way of this bucket.
    """

    bucket: np.ndarray
    row: np.ndarray
    size: np.ndarray
    size_bound: np.ndarray

    def select(self, mask: np.ndarray) -> "BucketEntries":
        """Return the entries for which ``mask`` is true (or those at its indices), in their order."""
        return BucketEntries(*(column[mask] for column in self))


def count_pairs(entries: BucketEntries, label: np.ndarray) -> int:
    """Return how many pairs of rows with different labels the buckets hold; the size filter is not applied."""
    keys = np.sort(_bucket_and_side(entries, label))
    return int(_later_sides(keys)[1].sum())


def list_pairs(search: PairSearch, entries: BucketEntries, label: np.ndarray, block: int) -> Iterator[np.ndarray]:
    """Yield the packed pairs of rows with different labels in each bucket, about ``block`` pairs at a time."""
    by = np.argsort(keys := _bucket_and_side(entries, label), kind="stable")
    begin, size = _later_sides(keys[by])
    work, low = np.cumsum(size), 0
    while low < len(by):
        done = int(work[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(work, done + block)))
        one = np.repeat(np.arange(low, high), size[low:high])
        place = np.arange(len(one)) - np.repeat(work[low:high] - size[low:high] - done, size[low:high])
        one, other = by[one], by[begin[one] + place]
        use = sizes_fit(entries, one, other)
        yield pack_pairs(search, entries.row[one[use]], entries.row[other[use]])
        low = high


def sizes_fit(entries: BucketEntries, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return whether neither of the entries ``one[i]`` and ``other[i]`` is larger than the other's bound."""
    return (entries.size[one] <= entries.size_bound[other]) & (entries.size[other] <= entries.size_bound[one])


def drop_without_partner(entries: BucketEntries) -> BucketEntries:
    """Leave out the entries whose bound is below the size of every row in their bucket."""
    starts = np.flatnonzero(run_starts(entries.bucket))
    if not len(starts):
        return entries
    smallest = np.repeat(np.minimum.reduceat(entries.size, starts), np.diff(np.append(starts, len(entries.row))))
    return entries.select(entries.size_bound >= smallest)


def side_labels(entries: BucketEntries, label: np.ndarray) -> np.ndarray:
    """Return the label of each entry; entries of the same label in a bucket are no pair.

    Two rows that are each larger than their own bound are never near by this bucket, as one would have to be smaller
    than the other's bound. Those among them that are their own label's first row share the label -1.
    """
    label = label[entries.row]
    return np.where((entries.size_bound >= entries.size) | (label != entries.row), label, np.int32(-1))


def run_starts(values: np.ndarray) -> np.ndarray:
    """Return where each run of equal values begins (Boolean)."""
    return np.concatenate((np.ones(min(1, len(values)), bool), values[1:] != values[:-1]))


def _bucket_and_side(entries: BucketEntries, label: np.ndarray) -> np.ndarray:
    """Pack the bucket and the side label of each entry into one number."""
    return entries.bucket.astype(np.uint64) << HALF | (side_labels(entries, label) + np.int64(1)).astype(np.uint64)


def _later_sides(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of the sorted keys: where the later sides of its bucket begin, and how many entries they have."""
    news = run_starts(keys), run_starts(keys >> HALF)
    side, bucket = (np.append(np.flatnonzero(new), len(new))[np.cumsum(new)] for new in news)
    return side, bucket - side
