"""Compiled loops of lazy greedy covering: a sparse graph by candidate, and the candidates of greatest gain one by one.

The graph says, for each candidate (from ``starts[c]`` to ``starts[c + 1]``), which rows it would cover, ``places``, and
how well, ``values``. Rows are covered by ``floor`` at the least.
"""

import numba
import numpy as np

from curate.algorithms.compiled import compiled


@compiled
def turn(
    ids: np.ndarray, given: np.ndarray, floor: np.ndarray, starts: np.ndarray, places: np.ndarray, values: np.ndarray
) -> int:
    """Turn a graph by row (``ids``: candidates, or -1, and ``given``) into one by candidate; returns its size.

    Edges that are not above the row's ``floor`` are left out. ``starts`` must be zeros.
    """
    for row in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            if ids[row, place] >= 0 and given[row, place] > floor[row]:
                starts[ids[row, place] + 1] += 1
    for candidate in range(1, len(starts)):
        starts[candidate] += starts[candidate - 1]
    ends = starts[:-1].copy()
    for row in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            if ids[row, place] >= 0 and given[row, place] > floor[row]:
                end = ends[ids[row, place]]
                places[end], values[end] = row, given[row, place]
                ends[ids[row, place]] += 1
    return starts[-1]


@numba.njit
def _gain(
    starts: np.ndarray, places: np.ndarray, values: np.ndarray, times: np.ndarray, covered: np.ndarray, candidate: int
) -> float:
    total = 0.0
    for edge in range(starts[candidate], starts[candidate + 1]):
        more = values[edge] - covered[places[edge]]
        if more > 0:
            total += times[places[edge]] * more
    return total


@numba.njit
def _sift(order: np.ndarray, gain: np.ndarray, place: int, size: int) -> None:
    """Move a candidate down the heap ``order`` (greatest gain first, then lowest candidate) to where it belongs."""
    name = order[place]
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and _before(gain, order[child + 1], order[child]):
            child += 1
        if not _before(gain, order[child], name):
            break
        order[place] = order[child]
        place = child
    order[place] = name


@numba.njit
def _before(gain: np.ndarray, one: int, other: int) -> bool:
    return gain[one] > gain[other] or (gain[one] == gain[other] and one < other)


@compiled
def pick_greedily(
    starts: np.ndarray,
    places: np.ndarray,
    values: np.ndarray,
    times: np.ndarray,
    bonus: np.ndarray,
    covered: np.ndarray,
    picked: np.ndarray,
    gain: np.ndarray,
) -> None:
    """Fill ``picked`` with the candidates that add most, one after another (Minoux 1978: old gains bound new ones).

    A candidate adds ``times`` what each row gains in ``covered``, which is kept up to date, and its ``bonus``. In the
    end ``gain`` holds what each candidate would still add, -inf for those picked.
    """
    size = len(gain)
    order = np.arange(size)
    for candidate in range(size):
        gain[candidate] = bonus[candidate] + _gain(starts, places, values, times, covered, candidate)
    for place in range(size // 2 - 1, -1, -1):
        _sift(order, gain, place, size)
    for count in range(len(picked)):
        best = -1
        while best != order[0]:
            best = order[0]
            gain[best] = bonus[best] + _gain(starts, places, values, times, covered, best)
            _sift(order, gain, 0, size)
        picked[count], gain[best] = best, -np.inf
        size -= 1
        order[0] = order[size]
        _sift(order, gain, 0, size)
        for edge in range(starts[best], starts[best + 1]):
            covered[places[edge]] = max(covered[places[edge]], values[edge])
    for candidate in range(len(gain)):
        if gain[candidate] > -np.inf:
            gain[candidate] = bonus[candidate] + _gain(starts, places, values, times, covered, candidate)
