"""Distinct vectors in random order, equal ones counted as one, and their division into parts of similar size."""

from collections.abc import Iterator

import numpy as np

from curate.algorithms.vectors.row_hashes import vector_draws

PART = 100_000  # distinct vectors in a part, unless ``MIN_KEPT`` makes it larger
MIN_KEPT = 2_000  # rows that a part keeps at least; parts that would keep fewer are made larger


def distinct_rows(
    vectors: np.ndarray, rows: np.ndarray, rank: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one row for each distinct vector, in random order.

    The order is drawn from the vectors and ``seed``, so it does not depend on the order of the rows.

    Args:
        vectors: Vectors of all rows (float32, rows x d, read-only).
        rows: The row numbers to look at.
        rank: A number for each of ``rows``. Of equal vectors the row of the greatest rank stands for all, then the
            first one; NaN comes last.
        seed: The seed of the random order.

    Returns:
        The row numbers of the distinct vectors, how often each vector occurs (float32), and all other row numbers, the
        greatest rank first.
    """
    draws = vector_draws(vectors, seed)[rows]
    by_rank = -np.nan_to_num(rank, nan=-np.inf)
    order = np.lexsort((rows, by_rank, draws))
    new = np.concatenate(([True], draws[order[1:]] != draws[order[:-1]]))
    times = np.diff(np.append(np.flatnonzero(new), len(order))).astype(np.float32)
    others = order[~new]
    return rows[order[new]], times, rows[others[np.lexsort((others, by_rank[others]))]]


def divide(preferred: np.ndarray, count: int) -> Iterator[tuple[slice, int]]:
    """Divide places into parts, and the ``count`` places to keep among the parts, in proportion.

    A part holds at most ``PART`` places, or more where it would otherwise keep fewer than ``MIN_KEPT``.

    Args:
        preferred: A Boolean for each place: whether it is to be kept before those that are not preferred.
        count: How many places are to be kept.

    Yields:
        The places of each part that keeps any, and how many it keeps.
    """
    number = max(1, min(-(-len(preferred) // PART), count // MIN_KEPT))
    ends = np.arange(number + 1) * len(preferred) // number
    before = np.concatenate(([0], np.cumsum(preferred)))[ends]
    first = min(count, int(before[-1]))
    kept = _proportional(before, first) + _proportional(ends - before, count - first)
    for low, high, share in zip(ends[:-1], ends[1:], np.diff(kept), strict=True):
        if share:
            yield slice(int(low), int(high)), int(share)


def _proportional(ends: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` times ``ends`` over their last, rounded down: no part between two ends gets more than it has."""
    return ends * count // max(1, int(ends[-1]))
