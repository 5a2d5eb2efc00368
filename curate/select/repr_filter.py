"""A diverse subset of the best: in order of score, each row that is not near one kept already (DEITA's Repr Filter).

Liu et al. 2023, "What Makes Good Data for Alignment?" (arXiv 2312.15685), section 3: going down the rows from the
highest score, a row is kept if its cosine to the nearest kept one is below ``threshold``, until ``keep`` rows are. So
the threshold says how near is too near, and the score alone decides between rows that are near each other.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.far_enough import content_sample, far_enough, fingerprints, measured_recall
from curate.algorithms.vectors.neighbours import nearest, unit
from curate.select._keep import rows_to_keep
from schemas.errors import UserError


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float,
    threshold: float = 0.9,
    recall: float = 0.99,
    exact_below: int = 20_000,
    seed: int = 0,
) -> pl.DataFrame | tuple[pl.DataFrame, str]:
    """Return, a row per embedding, ``kept``, ``nearest`` (row number of a kept row) and ``similarity`` (cosine to it).

    ``embedding`` is an Array(Float32, d) column of unit vectors; rows without a direction (null, all zero, or with a
    value that is no number) are not kept and have no nearest. ``score``: the highest first; null and NaN come last.
    Rows of one score, or where none has one, go in an order drawn by ``seed`` from what is in their embeddings, not by
    row number, so that nothing hangs on how a file was sorted.

    ``nearest`` is the kept row that ruled a row out (the nearest of those kept before it) or, for rows that were not
    reached, the nearest of all. Fewer than ``exact_below`` rows are compared in full; of more, a share of ``recall`` of
    the pairs at the threshold is expected to be found (``curate.algorithms.vectors.hyperplanes``). ``keep`` is a number of rows,
    or a share in (0, 1] where it has a decimal point. Fewer are kept where no others are far enough. With the table
    comes a line on this, if there are rows to compare. Raises ``UserError`` for settings out of their range.
    """
    count = rows_to_keep(keep, len(embedding), "select repr_filter")
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"select repr_filter: {name} must be above 0 and at most 1, found {share}")
    vectors, usable = unit(embedding)
    rows = np.flatnonzero(usable)
    kept, near, cosine = np.zeros(len(vectors), bool), np.full(len(vectors), -1, np.int64), np.zeros(len(vectors))
    if not len(rows):
        return _table(kept, near, cosine)
    hashes = fingerprints(vectors, seed)
    value = score.cast(pl.Float64).fill_nan(None).fill_null(-np.inf).to_numpy()[rows]
    rows = rows[np.lexsort((hashes[rows], -value))]
    settled = far_enough(
        vectors,
        rows,
        0,
        content_sample(vectors, rows, hashes),
        threshold=threshold,
        recall=recall,
        exact_below=exact_below,
        seed=seed,
        limit=count,
    )
    chosen = rows[settled.stays]
    kept[chosen] = True
    out, rest = settled.near >= 0, rows[settled.end :]
    near[rows[out]], cosine[rows[out]] = rows[settled.near[out]], settled.value[out]
    position, similarity = nearest(vectors, chosen, rest)
    near[rest], cosine[rest] = chosen[position], similarity
    said = "exact" if settled.plan is None else measured_recall(vectors, rows, 0, threshold, settled, seed)
    if len(chosen) < min(count, len(rows)):
        said += f"; {len(chosen)} of {count} wanted: every other row is near one of these"
    return _table(kept, near, cosine), said


def _table(kept: np.ndarray, near: np.ndarray, cosine: np.ndarray) -> pl.DataFrame:
    """The answer, from the nearest kept row's number, -1 for none."""
    has = pl.col("nearest") >= 0
    table = pl.DataFrame({"kept": kept, "nearest": near, "similarity": cosine})
    return table.with_columns(pl.when(has).then(name).alias(name) for name in ("nearest", "similarity"))
