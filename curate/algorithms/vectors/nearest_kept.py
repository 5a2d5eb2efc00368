"""Update every row's nearest kept row with rows newly kept, skipping most pairs by a bound on their cosine."""

import numpy as np

from curate.algorithms.parallel import in_blocks

BLOCK, BATCH = 1 << 13, 1 << 9  # rows and kept rows in one product: 16 MB of bounds a thread


def update_nearest(
    vectors: np.ndarray, short: np.ndarray, kept: np.ndarray, first: int, closest: np.ndarray, nearest: np.ndarray
) -> None:
    """Raise each row's ``closest`` cosine and set its ``nearest`` where one of the rows ``kept`` is nearer, in place.

    Args:
        vectors: Unit vectors (float32, read-only); rows without a direction get meaningless results.
        short: Their short forms (``cosine_bounds.shorten``).
        kept: The row numbers of the newly kept rows.
        first: The number of the first of them in the order of all kept rows.
        closest: The cosine of each row to its nearest kept row (float32).
        nearest: The number of that kept row, in the same order (int64); of equally near ones the earliest.
    """
    from curate.algorithms.vectors.nearest_loops import raise_nearest

    for start in range(0, len(kept), BATCH):
        chosen = kept[start : start + BATCH]
        new, new_short = vectors[chosen], short[chosen].T

        def work(low: int, high: int, new: np.ndarray = new, columns: np.ndarray = new_short, at: int = start) -> None:
            with np.errstate(over="ignore", invalid="ignore"):
                bounds = short[low:high] @ columns
            raise_nearest(bounds, low, vectors, new, first + at, closest, nearest)

        in_blocks(len(vectors), BLOCK, work)
