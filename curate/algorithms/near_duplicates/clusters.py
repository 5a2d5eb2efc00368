"""Which row of each cluster of near-duplicates stays: by a rule for priority, and by what a cluster is taken to be."""

from typing import Literal

import numpy as np
import polars as pl

Keep = Literal["first", "longest", "best"]
Cluster = Literal["keep_first", "connected"]


def priority(keep: Keep, text: pl.Series, score: pl.Series, known: pl.Series) -> np.ndarray:
    """Return the row numbers in the order in which rows have a claim to stay (int64).

    ``known`` rows (of other data) come first, as they are. Then ``first`` goes by row number, ``longest`` by the
    number of characters of ``text``, ``best`` by ``score``, where null and NaN come last. Ties go by the text itself
    and only then by row number, so that the order of rows hardly ever matters: rows it decides between are equal.
    """
    held = known.to_numpy()
    if keep == "first":
        return np.concatenate((np.flatnonzero(held), np.flatnonzero(~held)))
    length, best = pl.col("text").str.len_chars().fill_null(0).cast(pl.Int64), pl.col("score").fill_nan(None)
    rows = pl.DataFrame({"text": text, "score": score.cast(pl.Float64)}).with_row_index("row").filter(~known)
    rows = rows.sort([-(length if keep == "longest" else best), "text", "row"], nulls_last=True)
    return np.concatenate((np.flatnonzero(held), rows["row"].to_numpy().astype(np.int64)))


def decide(
    left: np.ndarray, right: np.ndarray, similarity: np.ndarray, rows: int, known: int, cluster: Cluster
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decide which rows stay, given every pair of rows within the threshold (``left[i]``, ``right[i]``; once or more).

    Rows are numbered in the order of ``priority``; the first ``known`` are never dropped, and no two of them count as
    a pair. Returns for each row the kept row it duplicates (int64, -1 = kept), their similarity, and the row within
    the threshold by which it is in the cluster.

    - ``keep_first``: going down the rows in order, a row is dropped if it is near a kept one: the first such. The
      third is the first again.
    - ``connected``: of rows connected by pairs one stays, the first in order (and every known one). The third leads,
      by the fewest pairs, to the kept row; similarity is NaN unless that is the kept row itself.
    """
    if not len(left):
        return np.full(rows, -1, np.int64), np.full(rows, np.nan), np.full(rows, -1, np.int64)
    from curate.algorithms.near_duplicates.cluster_loops import (  # what compiled loops take to import is spared without pairs
        connected,
        keep_first,
    )

    low, high = np.minimum(left, right), np.maximum(left, right)
    use = (high >= known) & (low != high)
    low, high, similarity = low[use], high[use], np.asarray(similarity, np.float64)[use]
    fixed = np.arange(rows) < known
    if cluster == "keep_first":
        by = np.lexsort((high, low))
        kept_for, values = keep_first(low[by], high[by], similarity[by], fixed)
        return kept_for, values, kept_for
    kept_for, via, values = connected(*_both_ways(low, high, similarity, rows), fixed)
    return kept_for, values, via


def _both_ways(low: np.ndarray, high: np.ndarray, values: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
    """The neighbours of each row, one row after another, in order of rank."""
    owner, other = np.concatenate((low, high)), np.concatenate((high, low))
    by = np.lexsort((other, owner))
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=rows))))
    return ends, other[by], np.concatenate((values, values))[by]
