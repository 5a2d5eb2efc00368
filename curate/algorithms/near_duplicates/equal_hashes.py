"""Find the rows that share a hash with another one, in the memory of one more copy of the hashes."""

import numpy as np

BLOCK = 1 << 20  # rows that are looked up at a time


def rows_with_equal(hashes: np.ndarray) -> np.ndarray:
    """Return the rows, in order, whose hash another row has too.

    Args:
        hashes: A hash of each row (uint64).
    """
    ordered = np.sort(hashes)
    twice = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    del ordered
    if not len(twice):
        return np.zeros(0, np.int64)
    found = [np.zeros(0, np.int64)]
    for low in range(0, len(hashes), BLOCK):
        part = hashes[low : low + BLOCK]
        at = np.minimum(np.searchsorted(twice, part), len(twice) - 1)
        found.append(low + np.flatnonzero(twice[at] == part))
    return np.concatenate(found)
