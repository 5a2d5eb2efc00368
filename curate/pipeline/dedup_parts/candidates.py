"""The candidates of all bands, from the files of the bucket tasks: as ``near_pairs`` has them on one machine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from curate.pipeline.dedup_parts.buckets import LOW, Buckets
from curate.storage.array_files import read_array

HALF = np.uint64(32)


@dataclass(frozen=True)
class Candidates:
    """The pairs and the large buckets of all bands, by row.

    Attributes:
        pairs: The distinct pairs (uint64, ``left << 32 | right``, sorted), but for those that share a large bucket of
            an earlier band than the first in which they share one that is not large.
        row: The rows of large buckets (uint32), one bucket after another, in the order of the bands and their keys.
        bucket: The number of the bucket of each (int32).
    """

    pairs: np.ndarray
    row: np.ndarray
    bucket: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """The rows that are in a pair or a large bucket, sorted (uint32)."""
        left, right = self.pairs >> HALF, self.pairs & LOW
        return np.unique(np.concatenate([np.unique(part.astype(np.uint32)) for part in (left, right, self.row)]))


def join_bands(found: Iterator[Buckets], bands: int, ranges: int) -> Candidates:
    """Join what was found in each band and range of keys.

    Args:
        found: What was found, the ranges of a band one after another.
        bands: How many bands there are.
        ranges: How many ranges each has.
    """
    pairs, rows, buckets = np.zeros(0, np.uint64), [np.zeros(0, np.uint32)], [np.zeros(0, np.int32)]
    earlier: list[tuple[np.ndarray, np.ndarray]] = []  # of each band: the rows of its large buckets, and which
    count = 0
    for _ in range(bands):
        files = [next(found) for _ in range(ranges)]
        new = np.concatenate([read_array(one.pairs) for one in files])
        for held_rows, held_buckets in earlier:
            new = new[~_together(new, held_rows, held_buckets)]
        pairs = _merged(pairs, np.sort(new))
        large = np.concatenate([read_array(one.large) for one in files])
        sizes = np.concatenate([read_array(one.sizes) for one in files])
        if len(large):
            bucket = np.repeat(np.arange(count, count + len(sizes), dtype=np.int32), sizes)
            by = np.argsort(large, kind="stable")
            earlier.append((large[by], bucket[by]))
            rows.append(large)
            buckets.append(bucket)
            count += len(sizes)
    return Candidates(pairs, np.concatenate(rows), np.concatenate(buckets))


def _together(pairs: np.ndarray, rows: np.ndarray, bucket: np.ndarray) -> np.ndarray:
    """Return which pairs share one of the buckets that these sorted rows are in."""
    held = [np.full(len(pairs), -1, np.int32) for _ in range(2)]
    for side, one in zip((pairs >> HALF, pairs & LOW), held, strict=True):
        side = side.astype(np.uint32)
        at = np.minimum(np.searchsorted(rows, side), len(rows) - 1)
        there = rows[at] == side
        one[there] = bucket[at[there]]
    return (held[0] == held[1]) & (held[0] >= 0)


def _merged(pairs: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Return sorted pairs with others that are not among them."""
    if len(pairs):
        at = np.minimum(np.searchsorted(pairs, new), len(pairs) - 1)
        new = new[pairs[at] != new]
    return np.sort(np.concatenate([pairs, new]), kind="stable")  # two sorted runs are merged
