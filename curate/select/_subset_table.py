"""Shared by the subset steps: scaled scores, cosines to the nearest kept row, and the result table."""

import numpy as np
import polars as pl

from curate.algorithms.vectors.neighbours import true_cosines


def scaled_scores(score: pl.Series, usable: np.ndarray) -> np.ndarray:
    """Return the scores of the ``usable`` rows divided by the largest absolute score (-1 to 1; NaN where none).

    Sums and squares of these never overflow, however large the scores are.
    """
    values = score.cast(pl.Float64).to_numpy()[usable]
    values = np.where(np.isfinite(values), values, np.nan)
    return values / (np.nanmax(np.abs(values), initial=0) or 1)


def cosine_to_nearest(vectors: np.ndarray, kept: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return the true cosine (float64) of each row to its ``nearest`` row; 0 for kept rows.

    For steps that compare rounded vectors (``integer_vectors``) but report the cosine of the original ones.
    """
    cosine, rows = np.zeros(len(kept)), np.flatnonzero(~kept)
    if len(rows):
        cosine[rows] = true_cosines(vectors, rows, nearest[rows])
    return cosine


def subset_table(
    usable: np.ndarray,
    kept: np.ndarray,
    nearest: np.ndarray,
    similarity: np.ndarray,
    cluster: np.ndarray | None = None,
) -> pl.DataFrame:
    """Return the table of a subset step: a row for every row of its input, usable or not.

    All arguments but ``usable`` describe the usable rows only.

    Args:
        usable: Which input rows have a direction (Boolean).
        kept: Which usable rows are kept (Boolean).
        nearest: The position, among the usable rows, of each row's nearest kept row.
        similarity: The cosine to that row.
        cluster: Each row's cluster, for steps that have clusters.

    Returns:
        Columns ``kept``, ``nearest`` and ``similarity``, and ``cluster`` if it was given. ``nearest`` and
        ``similarity`` are null for kept rows and for rows without a direction.
    """
    rows = np.flatnonzero(usable)
    dropped = rows[~kept]
    columns = {
        "kept": _at_rows(len(usable), rows, kept, False),
        "nearest": _at_rows(len(usable), dropped, rows[nearest[~kept]], -1),
        "similarity": _at_rows(len(usable), dropped, similarity[~kept].clip(-1, 1).astype(np.float64), -2.0),
    }
    if cluster is not None:
        columns["cluster"] = _at_rows(len(usable), rows, cluster, -1)
    table = pl.DataFrame(columns)
    known = pl.col("nearest") >= 0
    table = table.with_columns(nearest=pl.when(known).then("nearest"), similarity=pl.when(known).then("similarity"))
    return table if cluster is None else table.with_columns(cluster=pl.when(pl.col("cluster") >= 0).then("cluster"))


def _at_rows(count: int, rows: np.ndarray, values: np.ndarray, other: bool | int | float) -> np.ndarray:
    """Return an array of ``count`` numbers: ``values`` at ``rows``, ``other`` elsewhere."""
    out = np.full(count, other, dtype=np.int64 if isinstance(other, int) and other < 0 else type(other))
    out[rows] = values
    return out
