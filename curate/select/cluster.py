"""Quotas over clusters: so many rows of each k-means cell, its best by score, or any of them where there is no score.

With ``quota: balanced`` every cell gives as many rows as the others, as far as it has them, so that rare kinds of rows
count as much as common ones; ``proportional`` gives a cell its share of the rows; ``score`` gives it its share of all
the score there is, so that cells of many good rows give more.
"""

from typing import Literal

import numpy as np
import polars as pl

from curate.algorithms.vectors.kmeans import cells, centres, nearest_in_cell
from curate.algorithms.vectors.subsets import comparable, decided, directed, to_nearest
from curate.select._keep import rows_to_keep
from schemas.errors import UserError


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float,
    clusters: int | None = None,
    quota: Literal["balanced", "proportional", "score"] = "balanced",
    seed: int = 0,
) -> tuple[pl.DataFrame, str]:
    """Return, a row per embedding, ``kept``, ``nearest``, ``similarity`` and ``cluster`` (0 up; null where unknown).

    ``embedding`` is an Array(Float32, d) column, ``score`` a number for each row or null. ``keep`` is a number of rows,
    or a share in (0, 1] where it has a decimal point. ``clusters`` is the number of cells, the square root of the
    number of rows where it is not given, and at most as many as are kept. Within a cell the rows of the highest score
    are kept, or, without scores, rows drawn by ``seed``: those nearest its centre would all be alike.
    Quotas go to rows that have a score first, and to the others only when none of those are left.

    ``nearest`` is the nearest kept row of the same cluster, or of all where the cluster has none, and ``similarity``
    the cosine to it. Rows without a direction (null, zero, or with a value that is no number) are not kept. Raises
    ``UserError`` for settings out of range, and for ``quota: score`` where no row has one.
    """
    count = rows_to_keep(keep, len(embedding), "select cluster")
    if clusters is not None and clusters < 1:
        raise UserError(f"select cluster: clusters: expected a number from 1 up, found {clusters}")
    vectors, usable = directed(embedding)
    rows, count = len(vectors), min(count, len(vectors))
    values = comparable(score, usable)
    scored = np.isfinite(values)
    if quota == "score" and rows and not scored.any():
        raise UserError("select cluster: quota: score needs a score for some row, found none; name a score with 'by'")
    if not rows:
        return decided(usable, scored, np.zeros(0, int), values, np.zeros(0, int)), "no rows"
    found = centres(vectors, min(clusters or max(1, round(rows**0.5)), count), seed)
    cell, _ = cells(vectors, found)
    kept = _kept(cell, values, _weights(cell, values, quota), count, seed)
    near, _ = nearest_in_cell(vectors, cell, kept)
    full = np.unique(cell)
    sizes = np.bincount(cell[kept], minlength=len(found))[full]
    said = f"{len(full)} clusters, {sizes.min()} to {sizes.max()} rows kept of each"
    return decided(usable, kept, near, to_nearest(vectors, kept, near), cell), said


def _weights(cell: np.ndarray, score: np.ndarray, quota: str) -> np.ndarray:
    """Return how much each cell counts (float64): as much as the others, as its rows, or as their scores."""
    if quota == "balanced":
        return np.ones(cell.max() + 1)
    if quota == "proportional":
        return np.bincount(cell).astype(np.float64)
    scored = np.isfinite(score)
    above = np.where(scored, score - score[scored].min(), 0)
    return np.bincount(cell, weights=above if above.any() else scored.astype(float))


def _kept(cell: np.ndarray, score: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return which rows to keep (bool): by score, then by lot, up to the quota of each cell."""
    scored = np.isfinite(score)
    some, every = (np.bincount(cell[rows], minlength=len(weights)) for rows in (scored, slice(None)))
    first = min(count, int(some.sum()))
    quotas = apportion(weights, some, first)
    quotas += apportion(weights, every - some, count - first)
    lot = np.random.default_rng(seed).permutation(len(cell))
    order = np.lexsort((lot, np.where(scored, -score, np.inf), cell))
    starts = np.cumsum(every) - every
    kept = np.zeros(len(cell), bool)
    kept[order] = np.arange(len(cell)) - starts[cell[order]] < quotas[cell[order]]
    return kept


def apportion(weights: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """Share ``count`` (at most all of ``sizes``) out by ``weights``, giving none more than its size (int64).

    Where a share is larger than its size, the others have the rest by their weights; fractions go to the largest ones.
    """
    quotas = np.zeros(len(sizes), np.int64)
    while count > 0:
        room = sizes - quotas
        weight = np.where(room > 0, weights, 0.0)
        if not weight.any():
            weight = (room > 0).astype(float)
        share = count * weight / weight.sum()
        given = np.minimum(np.floor(share), room).astype(np.int64)
        if (share <= room).all():  # nothing to share out anew: what is left are fractions
            fraction = np.where(room > given, share - given, -1)
            largest = np.lexsort((-sizes, -fraction))
            given[largest[: min(count - given.sum(), np.count_nonzero(room > given))]] += 1
        quotas += given
        count -= given.sum()
    return quotas
