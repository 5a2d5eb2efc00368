"""The compiled loop of ``curate/algorithms/vectors/distinct.py``."""

import numpy as np

from curate.algorithms.compiled import compiled


@compiled
def hash_rows(words: np.ndarray, seed: int, low: int, high: int, out: np.ndarray) -> None:
    """Fill ``out[low:high]`` (uint64) with a number drawn from the words (uint32) of each row and the seed."""
    for row in range(low, high):
        lot = np.uint64(seed) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(0xD6E8FEB86659FD93)
        for place in range(words.shape[1]):
            lot = (lot ^ np.uint64(words[row, place])) * np.uint64(0xFF51AFD7ED558CCD)
            lot ^= lot >> np.uint64(32)
        out[row] = lot
