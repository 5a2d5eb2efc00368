"""A diverse subset of the best: in order of score, keep each row that is not near a kept one (DEITA's Repr Filter).

Liu et al. 2023, "What Makes Good Data for Alignment?" (arXiv 2312.15685), section 3: in order of score, the highest
first, a row is kept if its cosine to the nearest kept one is below ``threshold``, until ``keep`` rows are kept. So the
threshold says how near is too near, and the score alone decides between rows that are near each other.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.keep_dissimilar import Filtered, keep_dissimilar, measured_recall
from curate.algorithms.vectors.neighbours import nearest, unit
from curate.algorithms.vectors.row_hashes import content_sample, fingerprints
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
) -> tuple[pl.DataFrame, str]:
    """Keep the rows of highest score that are not near each other.

    Fewer rows than ``keep`` are kept where no others are far enough from the kept ones. Rows without a direction (null,
    all zero, or with a value that is no number) are not kept and have no nearest.

    Args:
        embedding: An Array(Float32, d) column of unit vectors.
        score: A number for each row; null and NaN come last. Rows of one score, or all rows if none has one, are
            ordered at random by ``seed`` and the content of their embeddings, not by row number, so that the order of
            the file does not matter.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        threshold: The cosine from which two rows are too near, above 0 and at most 1.
        recall: The share of the pairs exactly at the threshold that is expected to be found where not all rows are
            compared (``curate.algorithms.vectors.hyperplanes``).
        exact_below: Fewer rows than this are compared in full.
        seed: The seed of the order and of the hyperplanes.

    Returns:
        A table with a row per embedding, and a line on the recall, empty without rows to compare. Columns: ``kept``;
        ``nearest``, the row number of the kept row that ruled a row out (the nearest of those kept before it) or, for
        rows that were not reached, of the nearest of all; and ``similarity``, the cosine to it.

    Raises:
        UserError: For a setting out of range.
    """
    count = rows_to_keep(keep, len(embedding), "select repr_filter")
    _check_shares(threshold=threshold, recall=recall)
    vectors, usable = unit(embedding)
    rows = np.flatnonzero(usable)
    if not len(rows):
        return _table(vectors, rows, None), ""
    hashes = fingerprints(vectors, seed)
    value = score.cast(pl.Float64).fill_nan(None).fill_null(-np.inf).to_numpy()[rows]
    rows = rows[np.lexsort((hashes[rows], -value))]
    filtered = keep_dissimilar(
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
    summary = measured_recall(vectors, rows, 0, threshold, filtered, seed)
    found = int(filtered.kept.sum())
    if found < min(count, len(rows)):
        summary += f"; {found} of {count} wanted: every other row is near one of these"
    return _table(vectors, rows, filtered), summary


def _table(vectors: np.ndarray, rows: np.ndarray, filtered: Filtered | None) -> pl.DataFrame:
    """Return the result table: rows that were not reached get the nearest of all kept rows."""
    kept, near, cosine = np.zeros(len(vectors), bool), np.full(len(vectors), -1, np.int64), np.zeros(len(vectors))
    if filtered:
        chosen = rows[filtered.kept]
        kept[chosen] = True
        out, rest = filtered.nearest >= 0, rows[filtered.end :]
        near[rows[out]], cosine[rows[out]] = rows[filtered.nearest[out]], filtered.cosine[out]
        position, similarity = nearest(vectors, chosen, rest)
        near[rest], cosine[rest] = chosen[position], similarity
    known = pl.col("nearest") >= 0
    table = pl.DataFrame({"kept": kept, "nearest": near, "similarity": cosine})
    return table.with_columns(pl.when(known).then(name).alias(name) for name in ("nearest", "similarity"))


def _check_shares(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share <= 1:
            raise UserError(f"select repr_filter: {name} must be above 0 and at most 1, found {share}")
