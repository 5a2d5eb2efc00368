"""Unit vectors in whole numbers, whose products no machine rounds: what is chosen by them is the same everywhere.

A matrix product's last digits depend on how many threads share it, and where two rows are all but equally good that
decides which is chosen, and every choice after it. Numbers below 4096 in steps of one have no last digits to lose: all
sums of their products up to 2 ** 24 are exact in float32, in any order. Cosines are then within about 0.0003 of those
of the vectors as they came: where all numbers of a vector are of one size (signs) by more, but never more than the
square root of how many they are over ``GRID``.
"""

import numpy as np

GRID = np.float32(4055)  # a unit vector of up to 6,000 numbers, rounded, is still shorter than 4096
SCALE = np.float32(1) / (GRID * GRID)  # from products of whole numbers to cosines


def whole(vectors: np.ndarray) -> np.ndarray:
    """Return unit vectors (float32) times ``GRID``, rounded to whole numbers (float32): a copy, so give it blocks."""
    scaled = vectors * GRID
    return np.rint(scaled, out=scaled)


def inverse_lengths(numbers: np.ndarray) -> np.ndarray:
    """Return 1 / length of each row of whole numbers (float32), by which products become cosines of exactly 1."""
    return (1 / np.sqrt(np.einsum("ij,ij->i", numbers, numbers, dtype=np.float64).clip(1))).astype(np.float32)
