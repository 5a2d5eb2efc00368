"""Unit vectors rounded to whole numbers, whose matrix products are exact: every machine chooses the same rows.

The last digits of a float32 matrix product depend on how many threads share it. Where two rows are almost equally good,
those digits decide which one is chosen, and every choice after it. Whole numbers below 4096 have no such digits: all
sums of their products up to 2 ** 24 are exact in float32, in any order. The cosines are within about 0.0003 of those of
the original vectors. The error is larger where all numbers of a vector have one size (signs), but never above the
square root of the vector's length divided by ``GRID``.
"""

import numpy as np

GRID = np.float32(4055)  # a unit vector of up to 6,000 numbers, rounded, is still shorter than 4096
TO_COSINE = np.float32(1) / (GRID * GRID)  # factor from a product of two integer vectors to their cosine
BLOCK = 1 << 12  # rows rounded at a time


def to_integers(vectors: np.ndarray) -> np.ndarray:
    """Return unit vectors (float32) times ``GRID``, rounded to whole numbers (float32): a copy, so pass blocks."""
    scaled = vectors * GRID
    return np.rint(scaled, out=scaled)


def inverse_lengths(integers: np.ndarray) -> np.ndarray:
    """Return 1 / length of integer vectors (float32): products times these are cosines, exactly 1 for equal rows."""
    return (1 / np.sqrt(np.einsum("ij,ij->i", integers, integers, dtype=np.float64).clip(1))).astype(np.float32)


def nearest_to_mean(vectors: np.ndarray) -> int:
    """Return the row nearest the mean of all unit vectors: the first pick where nothing else decides it."""
    blocks = range(0, len(vectors), BLOCK)
    total = sum(vectors[low : low + BLOCK].sum(axis=0, dtype=np.float64) for low in blocks)
    mean = to_integers((total / (np.linalg.norm(total) or 1)).astype(np.float32))
    return int(np.concatenate([to_integers(vectors[low : low + BLOCK]) @ mean for low in blocks]).argmax())
