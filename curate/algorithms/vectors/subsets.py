"""What a subset step starts from, the rows that have a direction, and what it answers: a row per row of its table."""

import numpy as np
import polars as pl

from curate.algorithms.vectors.far_enough import true_cosines
from curate.algorithms.vectors.neighbours import unit
from curate.algorithms.vectors.whole import whole

BLOCK = 1 << 12  # rows looked at at a time


def directed(embedding: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors (float32) of the rows that have a direction, and which rows (Boolean) those are.

    The first is a view of the column, which may lie on disk, unless some rows have none: only then is it a copy.
    """
    vectors, usable = unit(embedding)
    if not usable.all():
        vectors = vectors[usable]
        vectors.flags.writeable = False  # one kind of array for the compiled loops
    return vectors, usable


def comparable(score: pl.Series, usable: np.ndarray) -> np.ndarray:
    """Return the scores of the ``usable`` rows as shares of the one farthest from 0 (-1 to 1; NaN where there is none).

    Sums and squares of these never overflow, whatever numbers the scores are.
    """
    values = score.cast(pl.Float64).to_numpy()[usable]
    values = np.where(np.isfinite(values), values, np.nan)
    return values / (np.nanmax(np.abs(values), initial=0) or 1)


def middle(vectors: np.ndarray) -> int:
    """Return the row nearest the mean of all: where a choice begins that has nothing else to go by."""
    blocks = range(0, len(vectors), BLOCK)
    total = sum(vectors[low : low + BLOCK].sum(axis=0, dtype=np.float64) for low in blocks)
    mean = whole((total / (np.linalg.norm(total) or 1)).astype(np.float32))
    return int(np.concatenate([whole(vectors[low : low + BLOCK]) @ mean for low in blocks]).argmax())


def to_nearest(vectors: np.ndarray, kept: np.ndarray, nearest: np.ndarray) -> np.ndarray:
    """Return the cosine (float64) of each row to its ``nearest`` one, of the vectors as they came; 0 for kept rows.

    For steps that compare rows in whole numbers (``curate/algorithms/vectors/whole.py``): what they tell is true all the same.
    """
    cosine, rows = np.zeros(len(kept)), np.flatnonzero(~kept)
    if len(rows):
        cosine[rows] = true_cosines(vectors, rows, nearest[rows])
    return cosine


def decided(
    usable: np.ndarray,
    kept: np.ndarray,
    nearest: np.ndarray,
    similarity: np.ndarray,
    cluster: np.ndarray | None = None,
) -> pl.DataFrame:
    """Return ``kept``, ``nearest`` and ``similarity``, and ``cluster`` where given, for all rows.

    ``usable`` (bool) says which rows of the table have a direction; the other arguments are about those only: whether
    it is kept (bool), the position among them of the nearest kept one (int), the cosine to it, and its cluster. Kept
    rows and rows without a direction have no nearest row.
    """
    rows = np.flatnonzero(usable)
    dropped = rows[~kept]
    columns = {
        "kept": _spread(len(usable), rows, kept, False),
        "nearest": _spread(len(usable), dropped, rows[nearest[~kept]], -1),
        "similarity": _spread(len(usable), dropped, similarity[~kept].clip(-1, 1).astype(np.float64), -2.0),
    }
    if cluster is not None:
        columns["cluster"] = _spread(len(usable), rows, cluster, -1)
    table = pl.DataFrame(columns)
    missing = pl.col("nearest") < 0
    table = table.with_columns(
        nearest=pl.when(~missing).then("nearest"), similarity=pl.when(~missing).then("similarity")
    )
    return table if cluster is None else table.with_columns(cluster=pl.when(pl.col("cluster") >= 0).then("cluster"))


def _spread(count: int, rows: np.ndarray, values: np.ndarray, other: bool | int | float) -> np.ndarray:
    spread = np.full(count, other, dtype=np.int64 if isinstance(other, int) and other < 0 else type(other))
    spread[rows] = values
    return spread
