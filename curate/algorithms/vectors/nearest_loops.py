"""Compiled loops that find nearest kept rows, farthest rows and near neighbours, and skip most pairs by a bound.

``bounds`` are products of short forms (``cosine_bounds.py``): each is at least the cosine it bounds, less ``SLACK``.
Cosines that may matter are then summed from the vectors themselves, always in the same order.
"""

import numpy as np

from curate.algorithms.compiled import compiled, helper, summing
from curate.algorithms.vectors.graphs import NeighbourHeaps

SLACK = np.float32(1e-5)  # many times the error of a float32 sum
RUN = 32  # bounds checked together: counting them takes no branch


@summing
def cosine(vectors: np.ndarray, row: int | np.intp, others: np.ndarray, other: int | np.intp) -> np.float32:
    """Return the product of two unit vectors."""
    total = np.float32(0)
    for place in range(vectors.shape[1]):
        total += vectors[row, place] * others[other, place]
    return total


@compiled
def raise_nearest(
    bounds: np.ndarray,
    low: int,
    vectors: np.ndarray,
    kept: np.ndarray,
    first: int,
    closest: np.ndarray,
    nearest: np.ndarray,
) -> None:
    """Raise ``closest`` and set ``nearest`` of the rows from ``low`` on where one of the vectors ``kept`` is nearer.

    ``bounds`` has a row for each of these rows and a column for each of ``kept``, whose numbers begin with ``first``.
    """
    for index in range(bounds.shape[0]):
        row = low + index
        for start in range(0, bounds.shape[1], RUN):
            stop = min(start + RUN, bounds.shape[1])
            floor = closest[row] - SLACK
            hits = 0
            for place in range(start, stop):
                hits += bounds[index, place] > floor
            if hits:
                for place in range(start, stop):
                    if bounds[index, place] > closest[row] - SLACK:
                        value = cosine(vectors, row, kept, place)
                        if value > closest[row]:
                            closest[row], nearest[row] = value, first + place


@compiled
def pick_farthest(
    vectors: np.ndarray,
    short: np.ndarray,
    closest: np.ndarray,
    weight: np.ndarray,
    outside: np.float32,
    picked: np.ndarray,
) -> int:
    """Pick rows of greatest ``weight * (1 - closest)`` until none reaches ``outside``; return how many were picked.

    ``closest``, each row's cosine to its nearest pick, is updated after each pick; a row that is picked gets infinity.
    The picks are written to ``picked``, whose length is the most there may be.
    """
    best = np.argmax(weight * (np.float32(1) - closest))
    for count in range(len(picked)):
        if not weight[best] * (np.float32(1) - closest[best]) >= outside:
            return count
        pick, best, most = best, 0, -np.inf
        picked[count], closest[pick] = pick, np.inf
        for row in range(len(closest)):
            if cosine(short, row, short, pick) > closest[row] - SLACK:
                closest[row] = max(closest[row], cosine(vectors, row, vectors, pick))
            value = weight[row] * (np.float32(1) - closest[row])
            if value > most:
                best, most = row, value
    return len(picked)


@compiled
def push_neighbours(bounds: np.ndarray, low: int, first: int, heaps: NeighbourHeaps) -> None:
    """Put the candidates from ``first`` on into the heaps of neighbours of the rows from ``low`` on, in place.

    ``bounds`` has a row for each of these rows and a column for each of these candidates.
    """
    for index in range(bounds.shape[0]):
        heap, names, row = heaps.cosines[low + index], heaps.ids[low + index], heaps.rows[low + index]
        for start in range(0, bounds.shape[1], RUN):
            stop = min(start + RUN, bounds.shape[1])
            floor = heap[0] - SLACK
            hits = 0
            for place in range(start, stop):
                hits += bounds[index, place] > floor
            if hits:
                for place in range(start, stop):
                    value = bounds[index, place]
                    if not heaps.exact and value > heap[0] - SLACK:
                        value = cosine(heaps.vectors, row, heaps.vectors, heaps.candidates[first + place])
                    if value > heap[0]:
                        _replace_first(heap, names, value, first + place)


@helper
def _replace_first(heap: np.ndarray, names: np.ndarray, value: np.float32, name: int) -> None:
    """Replace the least value of a heap by another."""
    place, size = 0, len(heap)
    while 2 * place + 1 < size:
        child = 2 * place + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= value:
            break
        heap[place], names[place] = heap[child], names[child]
        place = child
    heap[place], names[place] = value, name
