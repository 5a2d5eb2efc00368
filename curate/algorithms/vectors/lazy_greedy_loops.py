"""Compiled loops of lazy greedy covering: a sparse graph by candidate, and the candidates of greatest gain in turn."""

import numpy as np

from curate.algorithms.compiled import compiled, helper
from curate.algorithms.vectors.graphs import CoverGraph


@compiled
def transpose(ids: np.ndarray, cosines: np.ndarray, floor: np.ndarray, graph: CoverGraph) -> int:
    """Fill ``graph``, which is by candidate, from a graph by row; return how many edges it has.

    Row ``i`` of ``ids`` holds the candidates of row ``i``, or -1, and ``cosines`` how well they cover it. Edges that
    are not above the row's ``floor`` are left out. ``graph.starts`` must be zeros.
    """
    starts = graph.starts
    for row in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            if ids[row, place] >= 0 and cosines[row, place] > floor[row]:
                starts[ids[row, place] + 1] += 1
    for candidate in range(1, len(starts)):
        starts[candidate] += starts[candidate - 1]
    ends = starts[:-1].copy()
    for row in range(ids.shape[0]):
        for place in range(ids.shape[1]):
            if ids[row, place] >= 0 and cosines[row, place] > floor[row]:
                end = ends[ids[row, place]]
                graph.rows[end], graph.cosines[end] = row, cosines[row, place]
                ends[ids[row, place]] += 1
    return starts[-1]


@helper
def _gain(graph: CoverGraph, weight: np.ndarray, covered: np.ndarray, candidate: int) -> float:
    """Return how much a candidate would add to the weighted cover of the rows."""
    total = 0.0
    for edge in range(graph.starts[candidate], graph.starts[candidate + 1]):
        more = graph.cosines[edge] - covered[graph.rows[edge]]
        if more > 0:
            total += weight[graph.rows[edge]] * more
    return total


@helper
def _sift(order: np.ndarray, gain: np.ndarray, place: int, size: int) -> None:
    """Move a candidate down to its place in the heap ``order``: greatest gain first, then lowest candidate."""
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


@helper
def _before(gain: np.ndarray, one: int, other: int) -> bool:
    """Return whether a candidate stands above another in the heap."""
    return gain[one] > gain[other] or (gain[one] == gain[other] and one < other)


@compiled
def pick_greedily(
    graph: CoverGraph,
    weight: np.ndarray,
    bonus: np.ndarray,
    covered: np.ndarray,
    picked: np.ndarray,
    gain: np.ndarray,
) -> None:
    """Fill ``picked`` with the candidates that add most, one after another (Minoux 1978: old gains bound new ones).

    A candidate adds its ``bonus``, and for each row ``weight`` times the rise in ``covered``, which is updated after
    each pick. At the end ``gain`` holds how much each candidate would still add, -inf for those picked.
    """
    size = len(gain)
    order = np.arange(size)
    for candidate in range(size):
        gain[candidate] = bonus[candidate] + _gain(graph, weight, covered, candidate)
    for place in range(size // 2 - 1, -1, -1):
        _sift(order, gain, place, size)
    for count in range(len(picked)):
        best = -1
        while best != order[0]:
            best = order[0]
            gain[best] = bonus[best] + _gain(graph, weight, covered, best)
            _sift(order, gain, 0, size)
        picked[count], gain[best] = best, -np.inf
        size -= 1
        order[0] = order[size]
        _sift(order, gain, 0, size)
        for edge in range(graph.starts[best], graph.starts[best + 1]):
            covered[graph.rows[edge]] = max(covered[graph.rows[edge]], graph.cosines[edge])
    for candidate in range(len(gain)):
        if gain[candidate] > -np.inf:
            gain[candidate] = bonus[candidate] + _gain(graph, weight, covered, candidate)
