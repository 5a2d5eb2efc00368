"""Compiled loops over pairs of vectors: their true cosine, and who stays or is joined with whom by it.

In all of them ``rows[i]`` is the row of ``vectors`` at place ``i`` in order of priority, and places stand for rows.
"""

import numba
import numpy as np

from curate.algorithms.compiled import compiled

SLACK = np.float32(1e-5)  # how far a cosine out of a float32 matrix product may be from the true one


@numba.njit(fastmath={"reassoc", "contract"})  # sums in any order, so in wide registers; NaN stays NaN
def cosine(x: np.ndarray, y: np.ndarray) -> float:
    """The cosine of two vectors; exactly 1 for equal ones, for the three sums are added up alike."""
    xy, xx, yy = np.float32(0), np.float32(0), np.float32(0)
    for column in range(len(x)):
        xy += x[column] * y[column]
        xx += x[column] * x[column]
        yy += y[column] * y[column]
    return min(np.float64(xy) / np.sqrt(np.float64(xx) * np.float64(yy)), 1.0)


@compiled
def cosines(vectors: np.ndarray, left: np.ndarray, right: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` (float64) with the cosines of pairs of row numbers."""
    for pair in range(len(left)):
        out[pair] = cosine(vectors[left[pair]], vectors[right[pair]])


@compiled
def confirm(
    product: np.ndarray,
    vectors: np.ndarray,
    rows: np.ndarray,
    low: int,
    columns: np.ndarray,
    threshold: float,
    settle: bool,
    limit: int,
    stays: np.ndarray,
    near: np.ndarray,
    value: np.ndarray,
) -> tuple[int, int]:
    """Take into account, for the places from ``low`` on, those of ``columns`` before them that stay.

    ``product`` holds their cosines, nearly. Fills ``near`` and ``value``: the nearest place within the threshold and
    its true cosine. With ``settle`` each place is settled before the next is looked at: it stays if it has none near,
    until ``limit`` of them stay. Returns the place after the last one settled, and how many of these stay.
    """
    count = 0
    for line in range(len(product)):
        place = low + line
        for column in range(len(columns)):
            other = columns[column]
            if product[line, column] >= threshold - SLACK and other < place and stays[other]:
                true = cosine(vectors[rows[place]], vectors[rows[other]])
                if true >= threshold and (near[place] < 0 or true > value[place]):
                    near[place], value[place] = other, true
        if settle:
            if near[place] < 0:
                stays[place] = True
                count += 1
            if count == limit:
                return place + 1, count
    return low + len(product), count


@numba.njit
def root(parent: np.ndarray, place: int) -> int:
    """The first place of the component that ``place`` is in; halves the way to it for the next time."""
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


@numba.njit
def joined(
    vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, parent: np.ndarray, left: int, right: int
) -> float:
    """Join the components of two places and return their cosine if it is within the threshold, -2 if it is not.

    Also -2 for places joined already and for two of the first ``known``, which are not compared.
    """
    if max(left, right) < known:
        return -2.0
    one, other = root(parent, left), root(parent, right)
    if one == other:
        return -2.0
    true = cosine(vectors[rows[left]], vectors[rows[right]])
    if true < threshold:
        return -2.0
    parent[max(one, other)] = min(one, other)
    return true


@compiled
def link(
    product: np.ndarray,
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    threshold: float,
    places: np.ndarray,
    others: np.ndarray,
    parent: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> int:
    """Join ``places`` with ``others``, whose cosines ``product`` holds, nearly; returns how many pairs did.

    These are written to ``left``, ``right`` and ``value``.
    """
    count = 0
    for line in range(len(places)):
        for column in range(len(others)):
            if product[line, column] >= threshold - SLACK:
                true = joined(vectors, rows, known, threshold, parent, places[line], others[column])
                if true >= threshold:
                    left[count], right[count], value[count] = others[column], places[line], true
                    count += 1
    return count
