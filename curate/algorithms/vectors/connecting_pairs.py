"""Find enough near pairs to know the connected components of all near pairs.

Every row that is not kept is paired with the kept row it is near to (``keep_dissimilar``); a kept row and the rows
paired with it form a star. The remaining pairs are between different stars, and two stars that are joined already,
directly or through others, are not compared again. So there are fewer pairs than rows, however near all rows are to
each other.
"""

import numpy as np

from curate.algorithms.vectors.keep_dissimilar import BLOCK, Filtered
from curate.algorithms.vectors.places import Pairs, Places


def connecting_pairs(
    vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, filtered: Filtered
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of places that give the same components as all pairs within the threshold, and their true cosines.

    The first ``known`` places are not compared with each other.

    Args:
        vectors: Unit vectors of all rows, as for ``keep_dissimilar``.
        rows: The row number of each place, as for ``keep_dissimilar``.
        known: How many places, from the first on, are known rows.
        threshold: The cosine from which two rows are near.
        filtered: The result of ``keep_dissimilar``. If it used buckets, so does this function.

    Returns:
        The two places of each pair (int64 each), and their cosine (float64).
    """
    count = len(rows)
    places = Places(vectors, rows, known, float(threshold))
    star = np.where(filtered.kept, np.arange(count), filtered.nearest)
    parent, pairs = star.copy(), Pairs(np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count))
    if filtered.banded is None:
        found = _compare_in_full(places, parent, pairs)
    else:
        from curate.algorithms.vectors.hyperplane_loops import join_buckets

        bits = filtered.banded.sign_bits()
        found, by_star = 0, np.argsort(star, kind="stable")
        for band in range(filtered.banded.plan.bands):
            found = join_buckets(places, bits, band, star, by_star, parent, pairs, found)
    in_star = np.flatnonzero(~filtered.kept)
    return (
        np.concatenate((filtered.nearest[in_star], pairs.left[:found])),
        np.concatenate((in_star, pairs.right[:found])),
        np.concatenate((filtered.cosine[in_star], pairs.cosine[:found])),
    )


def _compare_in_full(places: Places, parent: np.ndarray, pairs: Pairs) -> int:
    """Compare all places with each other, and return how many pairs were found.

    Places are sorted by component first, so that blocks lie within one where possible: such blocks are left out.
    """
    from curate.algorithms.vectors.near_pair_loops import join_blocks

    vectors, rows = places.vectors, places.rows
    order = np.argsort(parent, kind="stable")
    lows = np.arange(0, len(order), BLOCK)
    found, new = 0, 1
    for number, low in enumerate(lows):
        if new:
            roots = _roots(parent, order)
            least, most = np.minimum.reduceat(roots, lows), np.maximum.reduceat(roots, lows)
        ones = order[low : low + BLOCK]
        joined = (least == most) & (least[number] == most[number]) & (least == least[number])  # nothing left to join
        before, block = found, vectors[rows[ones]]
        for others in (order[first : first + BLOCK] for first in lows[: number + 1][~joined[: number + 1]]):
            found = join_blocks(block @ vectors[rows[others]].T, places, ones, others, parent, pairs, found)
        new = found - before
    return found


def _roots(parent: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return the first place of the component that each place is in."""
    above = parent[places]
    while (parent[above] != above).any():
        above = parent[above]
    return above
