"""Phase 1: the sign bits of a part of the rows, and their buckets, in the order that later phases read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.algorithms.parallel import in_blocks
from curate.algorithms.vectors.places import SignBits
from curate.pipeline.semantic_parts.checks import check_bands, damaged, held
from curate.storage.array_files import write_array

BLOCK = 1 << 9  # places hashed at a time


@dataclass(frozen=True)
class SignsTask:
    """A part of the places.

    Attributes:
        vectors: The file of the vectors of all places (float32).
        centre: The file of the point that the hyperplanes go through.
        flips: The file of the signs that make the hyperplanes.
        bands: How many bands there are.
        size: Bits in a band.
        low: The first place.
        high: The place after the last.
        path: The beginning of the names of the files to write.
        durable: Whether they are to be there after a power cut.
    """

    vectors: str
    centre: str
    flips: str
    bands: int
    size: int
    low: int
    high: int
    path: str
    durable: bool


@dataclass(frozen=True)
class Signed:
    """A part with its files: the sign bits (uint64, a line a place), and the buckets (uint32, a line a band).

    Attributes:
        bits: The file of the sign bits.
        buckets: The file of the buckets.
        low: The first place.
    """

    bits: str
    buckets: str
    low: int


def make_signs(task: SignsTask) -> Signed:
    """Write the sign bits and the buckets of a part."""
    from curate.algorithms.vectors.hyperplane_loops import band_buckets, signs

    centre, flips = held(task.centre, np.float32, None), held(task.flips, np.float32, None, 3, None)
    vectors = held(task.vectors, np.float32, None, len(centre))
    (turns, _, width), count = flips.shape, task.high - task.low
    if not 0 <= task.low < task.high <= len(vectors) or width < max(64, len(centre)) or width & (width - 1):
        raise damaged(task.flips, f"does not fit rows {task.low} to {task.high} of vectors {vectors.shape}")
    check_bands(task.flips, task.bands, task.size, turns * width // 64)
    part, rows = vectors[task.low : task.high], np.arange(count)
    bits = np.empty((count, turns * width // 64), np.uint64)
    in_blocks(count, BLOCK, lambda low, high: signs(part, rows, centre, flips, low, high, bits))
    buckets = np.empty((task.bands, count), np.uint32)
    band_buckets(SignBits(bits, task.size, 0), task.bands, buckets)
    made = Signed(f"{task.path}-bits.npy", f"{task.path}-buckets.npy", task.low)
    write_array(Path(made.bits), bits, durable=task.durable)
    write_array(Path(made.buckets), buckets, durable=task.durable)
    return made
