"""Compiled loops that hash vectors by their bytes, which are read as 32-bit words."""

import numpy as np

from curate.algorithms.compiled import compiled


@compiled
def hash_fingerprints(words: np.ndarray, factors: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` (uint64) with a multilinear hash of each row of ``words`` (uint32) by the odd ``factors``."""
    for row in range(len(words)):
        total = np.uint64(0)
        for column in range(words.shape[1]):
            total += np.uint64(words[row, column]) * factors[column]
        total = (total ^ (total >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        out[row] = total ^ (total >> np.uint64(29))


@compiled
def hash_rows(words: np.ndarray, seed: int, low: int, high: int, out: np.ndarray) -> None:
    """Fill ``out[low:high]`` (uint64) with a random number for each row of ``words`` (uint32), by row and seed."""
    for row in range(low, high):
        value = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD6E8FEB86659FD93)
        for place in range(words.shape[1]):
            value = (value ^ np.uint64(words[row, place])) * np.uint64(0xFF51AFD7ED558CCD)
            value ^= value >> np.uint64(32)
        out[row] = value
