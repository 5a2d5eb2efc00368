"""Different vectors by lot: equal ones as one, in an order drawn from the vectors and a seed, dealt into parts."""

from collections.abc import Iterator

import numpy as np

from curate.algorithms.parallel import in_blocks

PART = 100_000  # different vectors in a part, for as long as it keeps
SHARE = 2_000  # rows at least; a part that would keep fewer is joined with others


def distinct(
    vectors: np.ndarray, rows: np.ndarray, rank: np.ndarray, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return one row for each different vector, by lot; how often it is there (float32); and all other rows.

    ``vectors`` (float32, n x d, read-only) are looked at in ``rows`` (row numbers) only. Of equal rows the one of the
    greatest ``rank`` (a number for each of ``rows``, NaN last) is returned, then the first; the other rows are in the
    same order. The lot is drawn from the vector and ``seed``, so that it does not depend on the order of the rows.
    """
    from curate.algorithms.vectors.distinct_loops import hash_rows

    lots, words = np.empty(len(vectors), np.uint64), vectors.view(np.uint32)
    in_blocks(len(vectors), 1 << 14, lambda low, high: hash_rows(words, seed, low, high, lots))
    last = -np.nan_to_num(rank, nan=-np.inf)
    lots = lots[rows]
    order = np.lexsort((rows, last, lots))
    new = np.concatenate(([True], lots[order[1:]] != lots[order[:-1]]))
    times = np.diff(np.append(np.flatnonzero(new), len(order))).astype(np.float32)
    others = order[~new]
    return rows[order[new]], times, rows[others[np.lexsort((others, last[others]))]]


def parts(able: np.ndarray, count: int) -> Iterator[tuple[slice, int]]:
    """Deal places into parts, and ``count`` among these; yields for each part its places and how many it is to keep.

    ``able`` (Boolean, one a place) says which places are to be kept before any others. A part holds at most ``PART``
    places, or more where it would otherwise keep fewer than ``SHARE``.
    """
    number = max(1, min(-(-len(able) // PART), count // SHARE))
    ends = np.arange(number + 1) * len(able) // number
    before = np.concatenate(([0], np.cumsum(able)))[ends]
    first = min(count, int(before[-1]))
    kept = _dealt(before, first) + _dealt(ends - before, count - first)
    for low, high, share in zip(ends[:-1], ends[1:], np.diff(kept), strict=True):
        if share:
            yield slice(int(low), int(high)), int(share)


def _dealt(ends: np.ndarray, count: int) -> np.ndarray:
    """``count`` in proportion, so that no part is dealt more than it has; all are numbers up to an end."""
    return ends * count // max(1, int(ends[-1]))
