"""Compiled loops over cosines: nearest kept rows, farthest rows and near neighbours, most pairs skipped by a bound.

``bounds`` are products of short forms (``curate/algorithms/vectors/short_vectors.py``): each is at least the cosine it stands for,
less ``SLACK``. Cosines that may matter are then summed from the vectors themselves, always in the same order.
"""

import numba
import numpy as np

from curate.algorithms.compiled import compiled

SLACK = np.float32(1e-5)  # what float32 sums may be off by, many times over
RUN = 32  # bounds looked at together: counting them takes no branch


@numba.njit(fastmath={"reassoc", "contract"})  # terms in any order, so in wide registers
def cosine(vectors: np.ndarray, row: int, others: np.ndarray, other: int) -> np.float32:
    """The product of two unit vectors."""
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
    """Bring ``closest`` and ``nearest`` of the rows from ``low`` up to date with the vectors ``kept``, in place."""
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
    """Pick rows of greatest ``weight * (1 - closest)`` until none reaches ``outside``; returns how many were picked.

    ``closest``, a cosine a row, is kept up to date with the picks; a row that is picked gets infinity. The picks go
    into ``picked``, whose length is the most there may be.
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
def push_neighbours(
    bounds: np.ndarray,
    whole: bool,
    low: int,
    vectors: np.ndarray,
    rows: np.ndarray,
    candidates: np.ndarray,
    first: int,
    ids: np.ndarray,
    values: np.ndarray,
) -> None:
    """Put the candidates from ``first`` into the heaps of neighbours of ``rows[low:]``, in place.

    ``ids`` and ``values`` hold a row's neighbours found so far (places among the candidates, and cosines), the
    farthest one first. With ``whole``, bounds are cosines themselves.
    """
    for index in range(bounds.shape[0]):
        heap, names, row = values[low + index], ids[low + index], rows[low + index]
        for start in range(0, bounds.shape[1], RUN):
            stop = min(start + RUN, bounds.shape[1])
            floor = heap[0] - SLACK
            hits = 0
            for place in range(start, stop):
                hits += bounds[index, place] > floor
            if hits:
                for place in range(start, stop):
                    value = bounds[index, place]
                    if not whole and value > heap[0] - SLACK:
                        value = cosine(vectors, row, vectors, candidates[first + place])
                    if value > heap[0]:
                        _replace_first(heap, names, value, first + place)


@numba.njit
def _replace_first(heap: np.ndarray, names: np.ndarray, value: np.float32, name: int) -> None:
    """Take the least value out of a heap, and put another in."""
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
