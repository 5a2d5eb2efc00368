"""Bringing every row's nearest kept row up to date with rows newly kept."""

import numpy as np

from curate.algorithms.parallel import in_blocks

BLOCK, BATCH = 1 << 13, 1 << 9  # rows and kept rows in one product: 16 MB of bounds a thread


def bring_nearer(
    vectors: np.ndarray, short: np.ndarray, kept: np.ndarray, first: int, closest: np.ndarray, nearest: np.ndarray
) -> None:
    """Raise each row's ``closest`` (cosine) and set its ``nearest`` where one of the rows ``kept`` is nearer.

    ``vectors`` (read-only) are unit vectors, ``short`` what ``short_vectors.shorten`` made of them, ``kept`` row
    numbers. ``nearest`` is ``first`` and the place in ``kept``; of equally near rows the earliest. Rows without a
    direction get values that mean nothing.
    """
    from curate.algorithms.vectors.cosine_loops import raise_nearest

    for start in range(0, len(kept), BATCH):
        chosen = kept[start : start + BATCH]
        new, new_short = vectors[chosen], short[chosen].T

        def work(low: int, high: int, new: np.ndarray = new, columns: np.ndarray = new_short, at: int = start) -> None:
            with np.errstate(over="ignore", invalid="ignore"):
                bounds = short[low:high] @ columns
            raise_nearest(bounds, low, vectors, new, first + at, closest, nearest)

        in_blocks(len(vectors), BLOCK, work)
