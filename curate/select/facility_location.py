"""A subset that covers all rows well: every row's cosine to its nearest kept row, summed and maximised.

This is the facility location function, maximised by lazy greedy (Minoux 1978; for choosing data Wei, Iyer and Bilmes
2015, Mirzasoleiman and others 2015) over a sparse graph, as ``curate/algorithms/vectors/cover.py`` says. Where a score is given:
QDIT (Bukharin and others 2023, arXiv 2311.14736), that is ``(1 - quality) * mean cover + quality * mean score of the
kept rows``, where a row's score is the share of scored rows that score no higher, and all rows are covered, scored or
not.

Equal vectors count as one, with their number as weight. A table of more than 100,000 different vectors is dealt by lot
into parts that keep 2,000 rows at least, and no more than 100,000 of a part are looked at, so that work does not grow
with the square of the rows. The lot goes by the vector and the seed: the order of rows does not matter.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.distinct import PART, distinct, parts
from curate.algorithms.vectors.neighbours import unit
from curate.algorithms.vectors.subsets import decided
from curate.select._keep import rows_to_keep
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
    """Return, a row per embedding, ``kept``, ``nearest`` (row number of the nearest kept row) and ``similarity``.

    ``embedding`` is an Array(Float32, d) column. ``keep`` is a number of rows, or a share in (0, 1] where it has a
    decimal point. ``score`` is a number a row; with none, all null, cover alone decides. ``quality`` (0 to 1) is the
    weight of the score: of 3,000 rows with random scores, keeping a tenth, 0.1 gives up 1 % of the cover for a mean
    score of 0.83, 0.3 4 % for 0.93. Rows whose score is null are kept only when no others are left. ``neighbours`` is
    how many of a row's nearest rows the graph holds, by default as many as there are rows for one kept row, and 16 at
    least; in all it holds at most 20 million edges, and where that is too few, only some rows, by lot, are looked at.

    ``similarity`` is the cosine to ``nearest``; both are null for kept rows. Rows without a direction (null, all zero,
    or with a value that is no number) are not kept and have none. The line that is returned beside the table says how
    well the kept rows cover all, and where every row was looked at and there is no score, how much of the best possible
    that is at least. Raises ``UserError`` for other settings.
    """
    count = rows_to_keep(keep, len(embedding), "select facility_location")
    if not 0 <= quality <= 1:
        raise UserError(f"select facility_location: quality: expected a number from 0 to 1, found {quality}")
    if neighbours is not None and neighbours < 1:
        raise UserError(f"select facility_location: neighbours: expected a number from 1 up, found {neighbours}")
    vectors, usable = unit(embedding)
    rows = np.flatnonzero(usable)
    kept, nearest, closest, said = rows[:count], np.zeros(len(vectors), np.int64), np.zeros(len(vectors)), ""
    if 0 < count < len(rows):
        vectors = vectors.view()
        vectors.flags.writeable = False  # one kind of array for the compiled loops
        rank = _ranked(score.cast(pl.Float64).to_numpy()[rows])
        kept, nearest, closest, said = _facilities(vectors, rows, rank, count, quality, neighbours, seed)
    place = np.cumsum(usable) - 1
    chosen = np.zeros(len(vectors), bool)
    chosen[kept] = True
    return decided(usable, chosen[usable], place[nearest[usable]], closest[usable]), said


def _ranked(score: np.ndarray) -> np.ndarray:
    """The share of scored rows that score no higher, NaN where there is no score."""
    scored = np.isfinite(score)
    value = pl.Series(score[scored])
    rank = np.full(len(score), np.nan)
    rank[scored] = (value.rank("max") / max(1, len(value))).to_numpy()
    return rank


def _facilities(
    vectors: np.ndarray, rows: np.ndarray, rank: np.ndarray, count: int, quality: float, most: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Return the kept rows, each row's nearest kept row and the cosine to it, and what is to be said of them."""
    from curate.algorithms.vectors.cover import cover
    from curate.algorithms.vectors.nearest_kept import bring_nearer
    from curate.algorithms.vectors.short_vectors import shorten

    short = shorten(vectors, rows, min(1.0, 4 / count))  # for neighbours, whose farthest is known in the end only
    first, times, others = distinct(vectors, rows, rank, seed)
    worth = np.full(len(vectors), np.nan)
    worth[rows] = rank
    unscored = bool(np.isnan(rank).all())
    worth, quality = (np.zeros(len(first)), 0.0) if unscored else (worth[first], quality)
    picks, looked_at, bound = [], 0, 0.0
    for part, share in parts(~np.isnan(worth), min(count, len(first))):
        some, able = first[part], np.argsort(np.isnan(worth[part]), kind="stable")[:PART]
        if share <= np.count_nonzero(~np.isnan(worth[part])):
            able = able[~np.isnan(worth[part][able])]
        found, seen, bound = cover(
            vectors, short, some[:PART], times[part][:PART], some[able], worth[part][able], share, quality, most
        )
        picks.append(found)
        looked_at += seen
    kept = np.concatenate(picks)
    closest, nearest = np.full(len(vectors), -np.inf, np.float32), np.zeros(len(vectors), np.int64)
    bring_nearer(vectors, short, kept, 0, closest, nearest)
    reached = float(np.maximum(closest[rows], 0).mean(dtype=np.float64))
    said = f"coverage {reached:.4f} (mean cosine to the nearest kept row)"
    if looked_at < len(first):
        said += f", chosen by {looked_at:,} of {len(first):,} different rows"
    elif len(picks) > 1:
        said += f", chosen in {len(picks)} parts"
    elif unscored:
        said += f", at least {min(1.0, reached / bound):.3f} of what any {len(kept):,} rows could reach"
    return np.concatenate((kept, others[: count - len(kept)])), kept[nearest], closest, said
