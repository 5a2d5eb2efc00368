"""Compiled loops of ``clusters``: decide which rows stay, over rows numbered in order of priority."""

import numpy as np

from curate.algorithms.compiled import compiled


@compiled
def keep_first(low: np.ndarray, high: np.ndarray, similarity: np.ndarray, fixed: np.ndarray) -> tuple:
    """Drop every row that is near to a kept row before it.

    Pairs are sorted by ``low``, then ``high``, so that a row is decided before it decides about later rows. Returns the
    kept row that each row duplicates (-1 = kept) and their similarity. ``fixed`` rows are never dropped.
    """
    kept_for = np.full(len(fixed), -1, np.int64)
    near = np.full(len(fixed), np.nan)
    for i in range(len(low)):
        a, b = low[i], high[i]
        if kept_for[a] < 0 and kept_for[b] < 0 and not fixed[b]:
            kept_for[b], near[b] = a, similarity[i]
    return kept_for, near


@compiled
def keep_one_per_component(ends: np.ndarray, others: np.ndarray, similarity: np.ndarray, fixed: np.ndarray) -> tuple:
    """Drop every row of a connected component but its first row and the ``fixed`` ones, by breadth-first search.

    The search starts from all fixed rows together, then from each row not reached yet, in order. ``others`` are the
    neighbours of all rows one after another, those of a row from ``ends[row]`` to ``ends[row + 1]``. Returns the kept
    row that each row duplicates (-1 = kept), the neighbour it was reached from, and the similarity to the kept row (NaN
    unless reached from it directly).
    """
    rows = len(fixed)
    kept_for, via = np.full(rows, -1, np.int64), np.full(rows, -1, np.int64)
    near = np.full(rows, np.nan)
    reached, queue = fixed.copy(), np.empty(rows, np.int64)
    root = np.arange(rows)
    tail = 0
    for row in range(rows):
        if fixed[row]:
            queue[tail] = row
            tail += 1
    head = 0
    for start in range(-1, rows):  # -1: the fixed rows, which are in the queue already
        if start >= 0:
            if reached[start]:
                continue
            reached[start] = True
            queue[tail] = start
            tail += 1
        while head < tail:
            row = queue[head]
            head += 1
            for place in range(ends[row], ends[row + 1]):
                other = others[place]
                if not reached[other]:
                    reached[other] = True
                    root[other] = root[row]
                    kept_for[other], via[other] = root[row], row
                    if root[row] == row:
                        near[other] = similarity[place]
                    queue[tail] = other
                    tail += 1
    return kept_for, via, near
