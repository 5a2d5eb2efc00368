"""A subset that covers all rows well: it maximises the sum of every row's cosine to its nearest kept row.

This is the facility location function, maximised by lazy greedy (Minoux 1978; for choosing data Wei, Iyer and Bilmes
2015, Mirzasoleiman and others 2015) over a sparse graph (``curate.algorithms.vectors.lazy_greedy``). Where a score is
given, it is QDIT (Bukharin and others 2023, arXiv 2311.14736): ``(1 - quality) * mean cover + quality * mean score of
the kept rows``, where a row's score is the share of scored rows that score no higher, and all rows are covered, scored
or not.

Equal vectors count as one, with their number as weight. A table of more than 100,000 distinct vectors is divided at
random into parts that keep at least 2,000 rows each, and at most 100,000 rows of a part are compared, so that the work
does not grow with the square of the rows. The random order is drawn from the vectors and the seed: the order of the
rows does not matter.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.distinct_rows import PART, distinct_rows, divide
from curate.algorithms.vectors.neighbours import unit
from curate.select._keep import rows_to_keep
from curate.select._subset_table import subset_table
from schemas.errors import UserError


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float,
    quality: float = 0.2,
    neighbours: int | None = None,
    seed: int = 0,
) -> tuple[pl.DataFrame, str]:
    """Keep the rows that cover all rows best.

    Rows without a direction (null, all zero, or with a value that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row; with none, all null, cover alone decides. Rows whose score is null are kept only
            when no others are left.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        quality: The weight of the score, 0 to 1. Of 3,000 rows with random scores, keeping a tenth, 0.1 gives up 1 %
            of the cover for a mean score of 0.83, and 0.3 gives up 4 % for 0.93.
        neighbours: How many of a row's nearest rows the graph holds; by default as many as there are rows for one kept
            row, and at least 16. The graph holds at most 20 million edges; where that is too few, only some rows,
            chosen at random, are compared.
        seed: The seed of the random order.

    Returns:
        A table with a row per embedding, and a line on how well the kept rows cover all, and, where every row was
        compared and there is no score, at least how much of the best possible cover that is. Columns: ``kept``;
        ``nearest``, the row number of the nearest kept row; and ``similarity``, the cosine to it. The last two are null
        for kept rows.

    Raises:
        UserError: For a setting out of range.
    """
    count = rows_to_keep(keep, len(embedding), "select facility_location")
    if not 0 <= quality <= 1:
        raise UserError(f"select facility_location: quality: expected a number from 0 to 1, found {quality}")
    if neighbours is not None and neighbours < 1:
        raise UserError(f"select facility_location: neighbours: expected a number from 1 up, found {neighbours}")
    vectors, usable = unit(embedding)
    rows = np.flatnonzero(usable)
    kept, nearest, closest, summary = rows[:count], np.zeros(len(vectors), np.int64), np.zeros(len(vectors)), ""
    if 0 < count < len(rows):
        vectors = vectors.view()
        vectors.flags.writeable = False  # one type of array for the compiled loops
        rank = _rank(score.cast(pl.Float64).to_numpy()[rows])
        kept, nearest, closest, summary = _facilities(vectors, rows, rank, count, quality, neighbours, seed)
    place = np.cumsum(usable) - 1
    chosen = np.zeros(len(vectors), bool)
    chosen[kept] = True
    return subset_table(usable, chosen[usable], place[nearest[usable]], closest[usable]), summary


def _rank(score: np.ndarray) -> np.ndarray:
    """Return the share of scored rows that score no higher, NaN where there is no score."""
    scored = np.isfinite(score)
    value = pl.Series(score[scored])
    rank = np.full(len(score), np.nan)
    rank[scored] = (value.rank("max") / max(1, len(value))).to_numpy()
    return rank


def _facilities(
    vectors: np.ndarray, rows: np.ndarray, rank: np.ndarray, count: int, quality: float, most: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return the kept rows, each row's nearest kept row the cosine to it, and a line on the cover."""
    from curate.algorithms.vectors.cosine_bounds import shorten
    from curate.algorithms.vectors.lazy_greedy import lazy_greedy
    from curate.algorithms.vectors.nearest_kept import update_nearest

    short = shorten(vectors, rows, min(1.0, 4 / count))  # for neighbours, whose farthest is known only at the end
    first, times, others = distinct_rows(vectors, rows, rank, seed)
    worth = np.full(len(vectors), np.nan)
    worth[rows] = rank
    unscored = bool(np.isnan(rank).all())
    worth, quality = (np.zeros(len(first)), 0.0) if unscored else (worth[first], quality)
    picks, compared, bound = [], 0, 0.0
    for part, share in divide(~np.isnan(worth), min(count, len(first))):
        some, able = first[part], np.argsort(np.isnan(worth[part]), kind="stable")[:PART]
        if share <= np.count_nonzero(~np.isnan(worth[part])):
            able = able[~np.isnan(worth[part][able])]
        found, seen, bound = lazy_greedy(
            vectors, short, some[:PART], times[part][:PART], some[able], worth[part][able], share, quality, most
        )
        picks.append(found)
        compared += seen
    kept = np.concatenate(picks)
    closest, nearest = np.full(len(vectors), -np.inf, np.float32), np.zeros(len(vectors), np.int64)
    update_nearest(vectors, short, kept, 0, closest, nearest)
    reached = float(np.maximum(closest[rows], 0).mean(dtype=np.float64))
    summary = f"coverage {reached:.4f} (mean cosine to the nearest kept row)"
    if compared < len(first):
        summary += f", chosen by {compared:,} of {len(first):,} different rows"
    elif len(picks) > 1:
        summary += f", chosen in {len(picks)} parts"
    elif unscored:
        summary += f", at least {min(1.0, reached / bound):.3f} of what any {len(kept):,} rows could reach"
    return np.concatenate((kept, others[: count - len(kept)])), kept[nearest], closest, summary
