"""Covering rows by a few of them: facility location by lazy greedy over a sparse graph of near neighbours.

The cover of a row is its cosine to the nearest kept row, or 0 if that is less. Only a row's nearest candidates are in
the graph (Lindgren, Wu and Dimakis 2016: about as many as there are rows for one kept row); any other is counted as if
it were as near as the farthest of these. That never says too little of a set of rows, so it bounds what any could
reach; and by choosing for rows that have no near one yet, it loses nothing against the full graph (measured: within
0.3 % of it, oftener above it than below, where counting missing edges as 0 lost up to 2 %).
"""

import numpy as np

from curate.algorithms.vectors.neighbour_graph import neighbours

EDGES = 20_000_000  # edges in the graph: 320 MB, as it is turned
LAST = -10.0  # the bonus of a candidate to be picked last: all that can be gained is 1
LEAST = 16  # neighbours a row has in the graph, at least


def cover(
    vectors: np.ndarray,
    short: np.ndarray,
    rows: np.ndarray,
    times: np.ndarray,
    candidates: np.ndarray,
    worth: np.ndarray,
    count: int,
    quality: float = 0.0,
    most: int | None = None,
) -> tuple[np.ndarray, int, float]:
    """Pick ``count`` of ``candidates`` to cover ``rows``; both are row numbers of ``vectors``, unit vectors, read-only.

    Greedily maximises ``(1 - quality) * mean cover + quality * mean worth``: the cover of the rows, each counted
    ``times`` (float32), and the ``worth`` of the picks (0 to 1, one a candidate; those with NaN are picked last).
    ``short`` is what ``short_vectors.shorten`` made of the vectors; ``most`` is the number of neighbours of a
    row in the graph.

    Returns the picks, how many of ``rows`` were counted, from the first on (all, if the graph has room for them), and
    the most that the maximised value can be for any ``count`` candidates, where none is NaN: that of the picks, with
    missing edges counted, and the greatest gains that were left over (Minoux's bound).
    """
    from curate.algorithms.vectors.lazy_greedy_loops import pick_greedily, turn

    most = min(len(candidates), most or max(LEAST, -(-len(candidates) // count)), EDGES)
    rows, times = rows[: max(1, EDGES // most)], times[: max(1, EDGES // most)]
    ids, given = neighbours(vectors, short, rows, candidates, most)
    covered = given[:, 0].copy()
    starts = np.zeros(len(candidates) + 1, np.int64)
    places, values = np.empty(ids.size, np.int32), np.empty(ids.size, np.float32)
    turn(ids, given, covered, starts, places, values)
    del ids, given
    weight = (times * ((1 - quality) / times.sum(dtype=np.float64))).astype(np.float64)
    bonus = np.where(np.isnan(worth), LAST, worth * (quality / count))
    picked, gain = np.empty(count, np.int64), np.empty(len(candidates))
    pick_greedily(starts, places, values, weight, bonus, covered, picked, gain)
    left = np.sort(np.maximum(gain, 0))[::-1][:count].sum()
    return candidates[picked], len(rows), float((weight * covered).sum() + bonus[picked].sum() + left)
