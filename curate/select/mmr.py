"""Maximal marginal relevance: in each step, keep the row that has a good score and is unlike all kept ones.

Carbonell and Goldstein 1998: the next row is the one with the greatest ``relevance * score - (1 - relevance) * cosine``
to its nearest kept row. Scores are scaled from 0 (the least) to 1 (the greatest), so that they compare with a cosine. A
row without a score is kept only when no row with one is left. Without any scores the cosine alone decides, and the
first row is the one nearest the mean of all.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.greedy_search import FRONT, NearestPicks, greedy_search
from curate.algorithms.vectors.integer_vectors import TO_COSINE, nearest_to_mean, to_integers
from curate.algorithms.vectors.neighbours import usable_vectors
from curate.select._hours import refuse_hours
from curate.select._keep import rows_to_keep
from curate.select._subset_table import cosine_to_nearest, scaled_scores, subset_table
from schemas.errors import UserError

BLOCK = 1 << 12  # rows in a matrix product: bounds the memory beside the embeddings
SECONDS = 5.5e-11  # of processor time for a number of a row and a row kept: measured, 10,000 of 100,000 x 384 in 20 s
UNSCORED = 4  # how far a row without a score is behind: more than all that relevance and cosine can differ by


def subset(
    embedding: pl.Series, score: pl.Series, *, keep: int | float, relevance: float = 0.5, hours: float = 1.0
) -> tuple[pl.DataFrame, str]:
    """Keep rows by maximal marginal relevance. Of rows that are equally good, either may be kept.

    Rows are compared by embeddings rounded to 12 bits a number. Rows without a direction (null, zero, or with a value
    that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row, or null.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        relevance: The weight of the score, 0 to 1 (Carbonell and Goldstein's lambda); the cosine has the rest.
        hours: The hours of processor time, by an estimate from the number of rows, above which the choice is refused.
            To keep 100,000 of a million rows of 384 numbers takes about 0.6.

    Returns:
        A table with a row per embedding, and a line on the weights. Columns: ``kept``; ``nearest``, the row number of
        the nearest kept row; and ``similarity``, the cosine to it before rounding.

    Raises:
        UserError: For a ``keep``, ``relevance`` or ``hours`` out of range, and where it would take more hours.
    """
    count = rows_to_keep(keep, len(embedding), "select mmr")
    if not 0 <= relevance <= 1:
        raise UserError(f"select mmr: relevance: expected a number from 0 to 1, found {relevance!r}")
    vectors, usable = usable_vectors(embedding)
    scores, count = scaled_scores(score, usable), min(count, len(vectors))
    refuse_hours("mmr", len(vectors), count, SECONDS * vectors.shape[1], hours)
    base, weight = _base(scores, relevance)
    gains, start = _RelevanceGains(vectors, base, weight), []
    if count:  # no cosine is known yet
        start = [int(base.argmax()) if np.isfinite(scores).any() else nearest_to_mean(vectors)]
    kept = greedy_search(gains, len(vectors), start, count)
    nearest = gains.near.nearest
    summary = "by cosine alone" if weight == 1 else f"{relevance:g} of the score, {weight:g} of the cosine"
    return subset_table(usable, kept, nearest, cosine_to_nearest(vectors, kept, nearest)), summary


def _base(score: np.ndarray, relevance: float) -> tuple[np.ndarray, float]:
    """Return the gain of each row before any is kept (float32), and the weight of the cosine."""
    scored = np.isfinite(score)
    if not scored.any():
        return np.zeros(len(score), np.float32), 1.0
    low, high = score[scored].min(), score[scored].max()
    worth = np.where(scored, (score - low) / (high - low if high > low else 1), 0) * relevance
    return np.where(scored, worth, -float(UNSCORED)).astype(np.float32), 1 - relevance


class _RelevanceGains:
    """The gain of a row: its weighted score, less its weighted cosine to the nearest pick."""

    most_picks = FRONT

    def __init__(self, vectors: np.ndarray, base: np.ndarray, weight: float) -> None:
        self.vectors, self.base, self.weight = vectors, base, np.float32(weight)
        self.near = NearestPicks(len(vectors))

    def add(self, picks: np.ndarray) -> np.ndarray:
        """Add picks; return the gain of each row."""
        if len(picks):
            new = to_integers(self.vectors[picks]).T
            for low in range(0, len(self.vectors), BLOCK):
                part = slice(low, low + BLOCK)
                self.near.update(part, to_integers(self.vectors[part]) @ new, picks, TO_COSINE)
        return self.base - self.weight * self.near.cosine

    def front(self, rows: np.ndarray, most: int) -> "_RelevanceFront":
        """Return the gains of the given rows alone."""
        return _RelevanceFront(to_integers(self.vectors[rows]), self.base[rows], self.weight, self.near.cosine[rows])


class _RelevanceFront:
    """The gains of the rows in the front, updated pick by pick."""

    def __init__(self, integers: np.ndarray, base: np.ndarray, weight: np.float32, cosine: np.ndarray) -> None:
        self.integers, self.base, self.weight, self.cosine = integers, base, weight, cosine

    def add(self, pick: int) -> np.ndarray:
        """Add a pick; return the gain of each row."""
        np.maximum(self.cosine, (self.integers @ self.integers[pick]) * TO_COSINE, out=self.cosine)
        return self.base - self.weight * self.cosine
