"""Compiled loops over pairs of vectors: their true cosines, which places are kept, and which are connected.

``places.py`` explains the named tuples. A ``product`` holds cosines out of a float32 matrix product: they only tell
which pairs are worth comparing, and the true cosine decides.
"""

import numpy as np

from curate.algorithms.compiled import compiled, helper, summing
from curate.algorithms.vectors.places import Decisions, Pairs, Places

SLACK = np.float32(1e-5)  # how far a cosine out of a float32 matrix product may be from the true one
NOT_NEAR = -2.0  # below any cosine


@summing
def cosine(x: np.ndarray, y: np.ndarray) -> float:
    """Return the cosine of two vectors; exactly 1 for equal ones, as the three sums are added up alike."""
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
def compare_with_kept(product: np.ndarray, places: Places, low: int, kept: np.ndarray, decisions: Decisions) -> None:
    """Update the nearest kept place of the places from ``low`` on, by the places ``kept``, which are all before them.

    ``product`` has a row for each of the places from ``low`` on and a column for each of ``kept``.
    """
    vectors, rows, threshold = places.vectors, places.rows, places.threshold
    nearest, closest = decisions.nearest, decisions.cosine
    for line in range(len(product)):
        place = low + line
        for column in range(len(kept)):
            if product[line, column] >= threshold - SLACK:
                other = kept[column]
                true = cosine(vectors[rows[place]], vectors[rows[other]])
                if true >= threshold and (nearest[place] < 0 or true > closest[place]):
                    nearest[place], closest[place] = other, true


@compiled
def decide_block(product: np.ndarray, places: Places, low: int, limit: int, decisions: Decisions) -> tuple[int, int]:
    """Decide the places from ``low`` on one by one: a place is kept if no kept place before it is near.

    ``product`` holds the cosines among these places. They have been compared with all kept places before ``low``.
    Stops when ``limit`` of them are kept. Returns the place after the last one decided, and how many are kept.
    """
    vectors, rows, threshold = places.vectors, places.rows, places.threshold
    kept, nearest, closest = decisions.kept, decisions.nearest, decisions.cosine
    count = 0
    for line in range(len(product)):
        place = low + line
        for column in range(line):
            other = low + column
            if product[line, column] >= threshold - SLACK and kept[other]:
                true = cosine(vectors[rows[place]], vectors[rows[other]])
                if true >= threshold and (nearest[place] < 0 or true > closest[place]):
                    nearest[place], closest[place] = other, true
        if nearest[place] < 0:
            kept[place] = True
            count += 1
        if count == limit:
            return place + 1, count
    return low + len(product), count


@helper
def root(parent: np.ndarray, place: int) -> int:
    """Return the first place of the component that ``place`` is in; halves the way to it for the next time."""
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


@helper
def join(places: Places, parent: np.ndarray, left: int, right: int) -> float:
    """Join the components of two places if they are near; return their cosine, or ``NOT_NEAR``.

    Also returns ``NOT_NEAR`` for places that are in one component already, and for two known places.
    """
    if max(left, right) < places.known:
        return NOT_NEAR
    one, other = root(parent, left), root(parent, right)
    if one == other:
        return NOT_NEAR
    true = cosine(places.vectors[places.rows[left]], places.vectors[places.rows[right]])
    if true < places.threshold:
        return NOT_NEAR
    parent[max(one, other)] = min(one, other)
    return true


@compiled
def join_blocks(
    product: np.ndarray,
    places: Places,
    ones: np.ndarray,
    others: np.ndarray,
    parent: np.ndarray,
    pairs: Pairs,
    count: int,
) -> int:
    """Join the places ``ones`` (rows of ``product``) with the places ``others`` (its columns) where they are near.

    Appends the pairs that joined two components to ``pairs``, which holds ``count``; returns how many it then holds.
    """
    for line in range(len(ones)):
        for column in range(len(others)):
            if product[line, column] >= places.threshold - SLACK:
                true = join(places, parent, ones[line], others[column])
                if true >= places.threshold:
                    pairs.left[count], pairs.right[count], pairs.cosine[count] = others[column], ones[line], true
                    count += 1
    return count
