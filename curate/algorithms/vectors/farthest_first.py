"""Farthest-first picking (Gonzalez 1985): in each step, pick the row that is farthest from all picks.

A row's cosine to its nearest pick only grows as picks are added, so an old value bounds how far away the row can be.
Picks are therefore looked for in a front, the rows that were farthest at the last full update, for as long as its
farthest row is at least as far as any row outside can be. Only then are all rows updated, with all new picks together.
"""

import numpy as np

from curate.algorithms.how_far import how_far
from curate.algorithms.vectors.cosine_bounds import shorten
from curate.algorithms.vectors.nearest_kept import update_nearest

FRONT, SHARE = 2048, 32  # rows in the front: at least so many, and at least one in so many of all
ROUND = 1024  # picks between two full updates, at most
SAME = np.float32(1e-6)  # a cosine distance that is float32's own error: such rows are copies of picks


def farthest_first(
    vectors: np.ndarray, phases: list[np.ndarray], weight: np.ndarray, start: int, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pick ``count`` rows, ``start`` first, then the row of greatest ``weight * (1 - cosine to its nearest pick)``.

    Rows that are copies of picks are picked last in their phase, in the order of their numbers.

    Args:
        vectors: Vectors (float32, n x d); unit vectors at the rows of ``phases``.
        phases: Row numbers to pick from, none twice; a phase begins when those before it are used up.
        weight: A positive weight for each row (float32).
        start: The first pick.
        count: How many rows to pick.

    Returns:
        The picks in order, and for every row its nearest pick (a row number) and the cosine to it. Rows outside
        ``phases`` get meaningless values.
    """
    rows = np.concatenate(phases)
    vectors = vectors.view()
    vectors.flags.writeable = False  # one type of array for the compiled loops
    short = shorten(vectors, rows, min(1.0, 2 / count))
    closest, nearest = np.full(len(vectors), -np.inf, np.float32), np.zeros(len(vectors), np.int64)
    free, end, updated = np.zeros(len(vectors), bool), 0, 0
    picks, copies = np.array([start]), np.zeros(0, np.int64)
    how_far(0, count)
    for phase in phases:
        free[phase] = True
        end = min(count, end + len(phase))
        while len(picks) + len(copies) < end:
            update_nearest(vectors, short, picks[updated:], updated, closest, nearest)
            updated, free[picks] = len(picks), False
            far, left = np.where(free, 1 - closest, -np.inf).astype(np.float32), end - len(picks) - len(copies)
            if far.max() <= SAME:
                copies = np.concatenate((copies, np.flatnonzero(free)[:left]))
                free[copies] = False
            else:
                new = _pick_from_front(vectors, short, closest, weight, far * weight, left)
                picks = np.concatenate((picks, new))
            how_far(len(picks) + len(copies), count)
    update_nearest(vectors, short, picks[updated:], updated, closest, nearest)
    return np.concatenate((picks, copies)), picks[nearest], closest


def _pick_from_front(
    vectors: np.ndarray, short: np.ndarray, closest: np.ndarray, weight: np.ndarray, far: np.ndarray, count: int
) -> np.ndarray:
    """Return up to ``count`` picks that need no full update; ``far`` is -inf for rows that may not be picked."""
    from curate.algorithms.vectors.nearest_loops import pick_farthest

    size = min(len(far), max(FRONT, len(far) // SHARE))
    order = np.argpartition(-far, size - 1) if size < len(far) else np.arange(size)
    front, outside = np.sort(order[:size]), far[order[size:]].max(initial=-np.inf)
    front = front[far[front] > -np.inf]
    picked = np.empty(min(count, ROUND), np.int64)
    found = pick_farthest(vectors[front], short[front], closest[front], weight[front], outside, picked)
    return front[picked[:found]]
