"""Quotas over clusters: so many rows of each k-means cell, the best by score, or random ones without a score.

With ``quota: balanced`` every cell gives as many rows as the others, as far as it has them, so that rare kinds of rows
count as much as common ones. With ``proportional`` a cell gives its share of the rows; with ``score`` it gives its
share of the sum of all scores, so that cells of many good rows give more.
"""

from typing import Literal

import numpy as np
import polars as pl

from curate.algorithms.vectors.kmeans import cells, centres, nearest_in_cell
from curate.algorithms.vectors.neighbours import usable_vectors
from curate.select._keep import rows_to_keep
from curate.select._subset_table import cosine_to_nearest, scaled_scores, subset_table
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
    """Keep so many rows of each cluster.

    Within a cell the rows of the highest score are kept, or, without scores, random ones: those nearest its centre
    would all be alike. Quotas go to rows that have a score first, and to the others only when none of those are left.
    Rows without a direction (null, zero, or with a value that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row, or null.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        clusters: The number of cells; by default the square root of the number of rows. At most as many as are kept.
        quota: How many rows a cell gives, as the module's text says.
        seed: The seed of the clusters and of the random choice.

    Returns:
        A table with a row per embedding, and a line on the clusters. Columns: ``kept``; ``nearest``, the row number of
        the nearest kept row of the same cluster, or of all where the cluster has none; ``similarity``, the cosine to
        it; and ``cluster`` (from 0 up; null where unknown).

    Raises:
        UserError: For a setting out of range, and for ``quota: score`` where no row has a score.
    """
    count = rows_to_keep(keep, len(embedding), "select cluster")
    if clusters is not None and clusters < 1:
        raise UserError(f"select cluster: clusters: expected a number from 1 up, found {clusters}")
    vectors, usable = usable_vectors(embedding)
    rows, count = len(vectors), min(count, len(vectors))
    values = scaled_scores(score, usable)
    scored = np.isfinite(values)
    if quota == "score" and rows and not scored.any():
        raise UserError("select cluster: quota: score needs a score for some row, found none; name a score with 'by'")
    if not rows:
        return subset_table(usable, scored, np.zeros(0, int), values, np.zeros(0, int)), "no rows"
    found = centres(vectors, min(clusters or max(1, round(rows**0.5)), count), seed)
    cell, _ = cells(vectors, found)
    kept = _kept(cell, values, _weights(cell, values, quota), count, seed)
    near, _ = nearest_in_cell(vectors, cell, kept)
    full = np.unique(cell)
    sizes = np.bincount(cell[kept], minlength=len(found))[full]
    summary = f"{len(full)} clusters, {sizes.min()} to {sizes.max()} rows kept of each"
    return subset_table(usable, kept, near, cosine_to_nearest(vectors, kept, near), cell), summary


def _weights(cell: np.ndarray, score: np.ndarray, quota: str) -> np.ndarray:
    """Return the weight of each cell (float64): 1, the number of its rows, or the sum of their scores."""
    if quota == "balanced":
        return np.ones(cell.max() + 1)
    if quota == "proportional":
        return np.bincount(cell).astype(np.float64)
    scored = np.isfinite(score)
    above = np.where(scored, score - score[scored].min(), 0)
    return np.bincount(cell, weights=above if above.any() else scored.astype(float))


def _kept(cell: np.ndarray, score: np.ndarray, weights: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return which rows to keep (Boolean): by score, then at random, up to the quota of each cell."""
    scored = np.isfinite(score)
    some, every = (np.bincount(cell[rows], minlength=len(weights)) for rows in (scored, slice(None)))
    first = min(count, int(some.sum()))
    quotas = apportion(weights, some, first)
    quotas += apportion(weights, every - some, count - first)
    draw = np.random.default_rng(seed).permutation(len(cell))
    order = np.lexsort((draw, np.where(scored, -score, np.inf), cell))
    starts = np.cumsum(every) - every
    kept = np.zeros(len(cell), bool)
    kept[order] = np.arange(len(cell)) - starts[cell[order]] < quotas[cell[order]]
    return kept


def apportion(weights: np.ndarray, sizes: np.ndarray, count: int) -> np.ndarray:
    """Divide ``count`` (at most the sum of ``sizes``) by ``weights``, giving none more than its size (int64).

    Where a share is larger than its size, the others get the rest by their weights. Rows left over by rounding down go
    to the largest fractions.
    """
    quotas = np.zeros(len(sizes), np.int64)
    while count > 0:
        room = sizes - quotas
        weight = np.where(room > 0, weights, 0.0)
        if not weight.any():
            weight = (room > 0).astype(float)
        share = count * weight / weight.sum()
        given = np.minimum(np.floor(share), room).astype(np.int64)
        if (share <= room).all():  # no cell is full: only fractions are left
            fraction = np.where(room > given, share - given, -1)
            largest = np.lexsort((-sizes, -fraction))
            given[largest[: min(count - given.sum(), np.count_nonzero(room > given))]] += 1
        quotas += given
        count -= given.sum()
    return quotas
