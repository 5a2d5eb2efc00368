"""Decide which row of each cluster of near-duplicates stays: by a priority among rows and a definition of cluster."""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

Keep = Literal["first", "longest", "best"]
Cluster = Literal["keep_first", "connected"]


class Duplicates(NamedTuple):
    """The kept row that each row duplicates, one value a row.

    Attributes:
        kept_for: The kept row that the row duplicates (int64, -1 = the row is kept).
        similarity: The similarity to that row (float64); NaN if kept, or if no pair joins the two directly.
        via: The row within the threshold through which the row is in its cluster (int64, -1 = kept).
    """

    kept_for: np.ndarray
    similarity: np.ndarray
    via: np.ndarray


def priority(
    keep: Keep, text: pl.Series, score: pl.Series, known: pl.Series, kind: type[np.integer] = np.int64
) -> np.ndarray:
    """Return the row numbers in order of priority: of two duplicates, the one that comes first here stays.

    Ties are broken by the text, then by the row number, so that the order of rows matters only among equal texts.

    Args:
        keep: The order: ``first`` is by row number, ``longest`` by the number of characters of ``text``, ``best`` by
            ``score``, with null and NaN last.
        text: The texts.
        score: The scores for ``best``.
        known: Which rows belong to other data. They come first, by row number (no nulls).
        kind: The type of the numbers.

    Returns:
        Row numbers, each once.
    """
    if keep == "first" and not known.any():
        return np.arange(len(known), dtype=kind)
    is_known = known.to_numpy()
    if keep == "first":
        return np.concatenate((np.flatnonzero(is_known), np.flatnonzero(~is_known))).astype(kind)
    length, best = pl.col("text").str.len_chars().fill_null(0).cast(pl.Int64), pl.col("score").fill_nan(None)
    rows = pl.DataFrame({"text": text, "score": score.cast(pl.Float64)}).with_row_index("row").filter(~known)
    rows = rows.sort([-(length if keep == "longest" else best), "text", "row"], nulls_last=True)
    return np.concatenate((np.flatnonzero(is_known), rows["row"].to_numpy())).astype(kind)


def as_column(dropped: pl.DataFrame, name: str, rows: int) -> pl.Series:
    """Return a column of dropped rows (``row``) as one of all rows: null for those that stay."""
    nothing = pl.Series(name, [None], dtype=dropped[name].dtype).new_from_index(0, rows)
    return nothing.scatter(dropped["row"], dropped[name])


def find_duplicates(
    left: np.ndarray, right: np.ndarray, similarity: np.ndarray, rows: int, known: int, cluster: Cluster
) -> Duplicates:
    """Decide which rows stay, given the pairs of rows within the threshold.

    Args:
        left: One row of each pair. Rows are numbered in order of ``priority``.
        right: The other row of each pair. A pair may come more than once.
        similarity: The similarity of each pair.
        rows: How many rows there are.
        known: How many rows, the first ones, are never dropped. Pairs of two known rows are ignored.
        cluster: ``keep_first`` goes down the rows in order and drops a row if it is near to a kept one; the first such
            row is both ``kept_for`` and ``via``. ``connected`` keeps the first row (and every known row) of each
            connected component; ``via`` leads to ``kept_for`` by the fewest pairs.

    Returns:
        The kept row that each row duplicates, their similarity, and ``via``.
    """
    if not len(left):
        return Duplicates(np.full(rows, -1, np.int64), np.full(rows, np.nan), np.full(rows, -1, np.int64))
    from curate.algorithms.near_duplicates import cluster_loops  # Numba is slow to import, and not needed without pairs

    low, high = np.minimum(left, right), np.maximum(left, right)
    use = (high >= known) & (low != high)
    low, high, similarity = low[use], high[use], np.asarray(similarity, np.float64)[use]
    fixed = np.arange(rows) < known
    if cluster == "keep_first":
        by = np.lexsort((high, low))
        kept_for, values = cluster_loops.keep_first(low[by], high[by], similarity[by], fixed)
        return Duplicates(kept_for, values, kept_for)
    neighbours = _adjacency(low, high, similarity, rows)
    kept_for, via, values = cluster_loops.keep_one_per_component(*neighbours, fixed)
    return Duplicates(kept_for, values, via)


def _adjacency(low: np.ndarray, high: np.ndarray, values: np.ndarray, rows: int) -> tuple[np.ndarray, ...]:
    """The neighbours of each row in order (compressed sparse rows): offsets, neighbours, and the pairs' values."""
    owner, other = np.concatenate((low, high)), np.concatenate((high, low))
    by = np.lexsort((other, owner))
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(np.bincount(owner, minlength=rows))))
    return ends, other[by], np.concatenate((values, values))[by]
