"""Phase 3: the rows that share a key, of one band and one range of its keys."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.pipeline.dedup_parts.sketches import Slice, read_slices
from curate.storage.array_files import read_array, write_array

LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class BucketsTask:
    """A range of the keys of a band.

    Attributes:
        slices: The keys, of all parts.
        copies: A file of bits (uint8): the rows that are left out, as one before them is equal.
        known: How many rows, the first ones, are of other data.
        crowded: The rows from which on a bucket is large.
        path: The beginning of the names of the files to write.
        durable: Whether they are to be there after a power cut.
    """

    slices: list[Slice]
    copies: str
    known: int
    crowded: int
    path: str
    durable: bool


@dataclass(frozen=True)
class Buckets:
    """Files of what was found: pairs (uint64, ``left << 32 | right``), and the rows and the sizes of large buckets."""

    pairs: str
    large: str
    sizes: str


def find_buckets(task: BucketsTask) -> Buckets:
    """Write the pairs of rows that share a key, and the buckets that are too large for that."""
    from curate.algorithms.near_duplicates import band_loops

    packed = read_slices(task.slices)
    bits, row = read_array(task.copies), packed & LOW
    at = (row >> np.uint64(3)).astype(np.int64)
    packed = packed[(bits[at] >> (row & np.uint64(7)).astype(np.uint8)) & 1 == 0]
    packed.sort()
    small, large, count = band_loops.find_buckets(packed, task.crowded)
    out, nothing = np.empty(count, np.uint64), np.zeros((1, 1), np.uint32)
    out = out[: band_loops.bucket_pairs(packed, small, nothing, nothing[0].astype(np.int64), 0, task.known, out)]
    rows = [(packed[low:high] & LOW).astype(np.uint32) for low, high in large]
    files = Buckets(*(f"{task.path}-{name}.npy" for name in ("pairs", "large", "sizes")))
    write_array(Path(files.pairs), np.sort(out), durable=task.durable)
    write_array(Path(files.large), np.concatenate([np.zeros(0, np.uint32), *rows]), durable=task.durable)
    write_array(Path(files.sizes), np.diff(large, axis=1).ravel(), durable=task.durable)
    return files
