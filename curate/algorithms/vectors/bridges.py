"""Connected clusters of near rows: the pairs that hold them together, a row's nearest kept one first.

Every row that did not stay is tied to the kept row it is near to (``far_enough``): so there are stars. What is
left to find is pairs between different stars, and of these no more than it takes: two stars joined once, directly or
by way of others, are not compared again. So there are fewer pairs than rows, however near all are to each other.
"""

import numpy as np

from curate.algorithms.vectors.far_enough import BLOCK, Settled


def connections(
    vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, settled: Settled
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of places that connect all that pairs within the threshold connect, and their true cosines.

    The arguments are those of ``far_enough``, and what it returned; where that went by buckets, so does this. The first
    ``known`` places are not compared with each other.
    """
    count = len(rows)
    star = np.where(settled.stays, np.arange(count), settled.near)
    parent, left, right, value = star.copy(), np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count)
    if settled.plan is None:
        found = _compared(vectors, rows, known, threshold, parent, left, right, value)
    else:
        from curate.algorithms.vectors.sign_loops import bridge

        found, by_star, planned = 0, np.argsort(star, kind="stable"), settled.plan
        for band in range(planned.bands):
            found += bridge(
                vectors,
                rows,
                known,
                settled.bits,
                planned.size,
                planned.cutoff,
                threshold,
                band,
                star,
                by_star,
                parent,
                left[found:],
                right[found:],
                value[found:],
            )
    tied = np.flatnonzero(~settled.stays)
    return (
        np.concatenate((settled.near[tied], left[:found])),
        np.concatenate((tied, right[:found])),
        np.concatenate((settled.value[tied], value[:found])),
    )


def _compared(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    threshold: float,
    parent: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> int:
    """Compare all places with each other; returns how many pairs were written to the last three.

    Blocks are of places that hold together already, as far as they go, so that most of a big cluster is left out.
    """
    from curate.algorithms.vectors.vector_loops import link

    order = np.argsort(parent, kind="stable")
    lows = np.arange(0, len(order), BLOCK)
    found, joined = 0, 1
    for number, low in enumerate(lows):
        if joined:
            roots = _roots(parent, order)
            least, most = np.minimum.reduceat(roots, lows), np.maximum.reduceat(roots, lows)
        one = order[low : low + BLOCK]
        whole = (least == most) & (least[number] == most[number]) & (least == least[number])  # nothing left to join
        before, block = found, vectors[rows[one]]
        for other in (order[first : first + BLOCK] for first in lows[: number + 1][~whole[: number + 1]]):
            product = block @ vectors[rows[other]].T
            found += link(
                product, vectors, rows, known, threshold, one, other, parent, left[found:], right[found:], value[found:]
            )
        joined = found - before
    return found


def _roots(parent: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The first place of the component that each place is in."""
    above = parent[places]
    while (parent[above] != above).any():
        above = parent[above]
    return above
