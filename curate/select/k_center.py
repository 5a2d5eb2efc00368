"""A diverse subset: in each step, keep the row that is farthest from all kept ones (greedy k-center).

Gonzalez 1985, which covers every row within twice the best possible radius; used to choose training data by Sener and
Savarese 2018. The distance is the straight line between unit vectors, which orders pairs as their cosine does. Where a
score is given, a row's distance is multiplied by a weight (Dyer and Frieze 1985: the weighted k-center): the share of
scored rows that score no higher than it, to the power of ``quality``. Nothing is random.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.neighbours import unit
from curate.select._keep import rows_to_keep
from curate.select._subset_table import subset_table
from schemas.errors import UserError


def subset(embedding: pl.Series, score: pl.Series, *, keep: int | float, quality: float = 1.0) -> pl.DataFrame:
    """Keep rows that are far from each other.

    Without scores the first row is the one nearest the mean of all; with scores it is, of those that score highest, the
    one nearest the mean. Rows without a direction (null, all zero, or with a value that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row; with none, all null, distance alone decides. Rows whose score is null are kept
            only when no others are left.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        quality: How much the score weighs, from 0 up; with 0 distance alone decides among the scored.

    Returns:
        A row per embedding: ``kept``; ``nearest``, the row number of the nearest kept row; and ``similarity``, the
        cosine to it. The last two are null for kept rows.

    Raises:
        UserError: For a setting out of range.
    """
    count = rows_to_keep(keep, len(embedding), "select k_center")
    if not 0 <= quality < np.inf:
        raise UserError(f"select k_center: quality: expected a number from 0 up, found {quality}")
    vectors, usable = unit(embedding)
    rows = np.flatnonzero(usable)
    kept, nearest, cosine = rows[:count], np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    if 0 < count < len(rows):
        from curate.algorithms.vectors.farthest_first import farthest_first

        weight, phases = _weigh(score.cast(pl.Float64).to_numpy(), rows, quality)
        first = phases[0][weight[phases[0]] == weight[phases[0]].max()]
        start = _nearest_the_mean(vectors, rows, first)
        kept, nearest, cosine = farthest_first(vectors, phases, weight, start, count)
    place = np.cumsum(usable) - 1
    chosen = np.zeros(len(vectors), bool)
    chosen[kept] = True
    return subset_table(usable, chosen[usable], place[nearest[usable]], cosine[usable])


def _weigh(score: np.ndarray, rows: np.ndarray, quality: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each row's weight, squared as it multiplies squared distances, and the rows to keep from, in phases."""
    scored = np.isfinite(score[rows])
    value = pl.Series(score[rows[scored]])
    weight = np.ones(len(score), np.float32)
    weight[rows[scored]] = np.maximum((value.rank("max") / len(value)).to_numpy() ** (2 * quality), 1e-30)
    return weight, [phase for phase in (rows[scored], rows[~scored]) if len(phase)]


def _nearest_the_mean(vectors: np.ndarray, rows: np.ndarray, among: np.ndarray, block: int = 1 << 14) -> int:
    """Return the one of the rows ``among`` that is nearest the mean of ``rows``; the first of equally near ones."""
    total = np.zeros(vectors.shape[1])
    for low in range(0, len(rows), block):
        total += vectors[rows[low : low + block]].sum(axis=0, dtype=np.float64)
    mean = (total / len(rows)).astype(np.float32)
    blocks = (among[low : low + block] for low in range(0, len(among), block))
    return int(among[np.argmax(np.concatenate([vectors[some] @ mean for some in blocks]))])
