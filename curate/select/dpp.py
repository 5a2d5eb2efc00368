"""The likeliest subset under a determinantal point process, found greedily: good rows that are unlike each other.

Fast greedy MAP inference (Chen, Zhang, Zhou 2018) over the kernel ``q_i * S_ij * q_j``: in each step, keep the row that
adds most to the determinant. That is the row with the greatest ``q_i ** 2`` times the part of it that the kept rows do
not explain, which a Cholesky factor tells that grows by a column a pick. Quality is ``q = exp(quality * z)``, with z
the score in standard deviations from the mean. Likeness is ``S_ij = exp((cosine - 1) / width)``: the cosine itself has
rank d, and after d picks it would not distinguish one row from another.
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

BLOCK = 1 << 12  # rows in a matrix product: bounds the memory beside the embeddings and the factor
FACTOR = 1 << 27  # numbers in the Cholesky factor at most: 512 MB
NUGGET = 1e-4  # added to the kernel's diagonal, as is usual, so that equal rows leave something to divide by
# Of processor time for a row and a row kept: in any case, for each number of a row, and for each pick remembered.
# Measured: 600 of 50,000 x 384 with a window of 134 in 3.1 s, 1,500 with one of 1,342 in 10.6 s.
SECONDS, PER_NUMBER, PER_PICK = 6e-8, 1.1e-10, 3e-11
UNSCORED = 1e3  # how far a row without a score is behind the worst: more than any difference in likeness


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float,
    quality: float = 0.2,
    width: float = 0.5,
    window: int = 2048,
    hours: float = 1.0,
) -> tuple[pl.DataFrame, str]:
    """Keep rows by greedy MAP inference under a determinantal point process.

    The greedy choice is exact for up to ``window`` kept rows, or for as many as fit in a factor of 512 MB: 1,342 of
    100,000 rows, 134 of a million. Where more rows are kept, the part of a row that the kept rows explain is computed
    from the last half to whole window of them, and from the row's nearest kept row of all, whichever explains more; the
    paper's sliding window forgets the others altogether. Rows are compared by embeddings rounded to 12 bits a number.
    Rows without a direction (null, zero, or with a value that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row, or null; rows without one come after all that have one. Where none has one,
            likeness alone decides, and the first row is the one nearest the mean of all.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point.
        quality: How much the score counts, 0 or more.
        width: How unlike two rows must be to hardly affect each other, above 0: at a cosine of ``1 - width`` their
            likeness is 1/e.
        window: How many kept rows are remembered exactly.
        hours: The hours of processor time, by an estimate from the number of rows, above which the choice is refused.
            To keep 10,000 of a million rows of 384 numbers takes about 0.3, to keep 100,000 about 3.

    Returns:
        A table with a row per embedding, and a line on whether the choice is exact. Columns: ``kept``; ``nearest``, the
        row number of the nearest kept row; and ``similarity``, the cosine to it before rounding.

    Raises:
        UserError: For a setting out of range, and where it would take more hours.
    """
    count = rows_to_keep(keep, len(embedding), "select dpp")
    for name, value, least in (("quality", quality, 0), ("width", width, 1e-3), ("window", window, 2)):
        if not least <= value < np.inf:
            raise UserError(f"select dpp: {name}: expected a number from {least:g} up, found {value!r}")
    vectors, usable = usable_vectors(embedding)
    rows = len(vectors)
    remembered = min(count, window, max(2, FACTOR // max(1, rows)))
    seconds = SECONDS + PER_NUMBER * vectors.shape[1] + PER_PICK * remembered
    refuse_hours("dpp", rows, min(count, rows), seconds, hours)
    worth = _worth(scaled_scores(score, usable), quality)
    gains = _DeterminantGains(vectors, worth, width, remembered)
    start = [nearest_to_mean(vectors)] if rows and not worth.any() else []  # all are equally good: begin as k_center
    kept = greedy_search(gains, rows, start, min(count, rows))
    nearest = gains.near.nearest
    summary = "exact" if remembered >= min(count, rows) else f"by the last {remembered // 2} to {remembered} picks"
    table = subset_table(usable, kept, nearest, cosine_to_nearest(vectors, kept, nearest))
    return table, f"greedy MAP, {summary}"


def _worth(score: np.ndarray, quality: float) -> np.ndarray:
    """Return the log of each row's ``q ** 2`` (float64)."""
    scored = np.isfinite(score)
    if not scored.any():
        return np.zeros(len(score))
    middle, spread = score[scored].mean(), score[scored].std()
    worth = 2 * quality * (score - middle) / (spread or 1)
    return np.where(scored, worth, worth[scored].min() - UNSCORED)


def _likeness(cosine: np.ndarray, width: float) -> np.ndarray:
    """Return the likeness of rows at these cosines (float64)."""
    return np.exp((cosine.astype(np.float64) - 1) / width)


class _DeterminantGains:
    """The gain of a row: the log of what it adds to the determinant.

    ``rest`` is the part of each row's likeness to itself that the picks do not explain; ``factor`` holds the columns of
    the Cholesky factor, one for each remembered pick.
    """

    def __init__(self, vectors: np.ndarray, worth: np.ndarray, width: float, window: int) -> None:
        rows = len(vectors)
        self.vectors, self.worth, self.width, self.window = vectors, worth, width, window
        self.most_picks = min(FRONT, max(1, window // 2))
        self.picks, self.filled, self.forgotten = np.zeros(0, np.int64), 0, False
        self.factor = np.zeros((rows, window), np.float32)
        self.own = np.zeros(rows)  # each row's likeness to itself: 1, except for rounding
        for low in range(0, rows, BLOCK):
            integers = to_integers(vectors[low : low + BLOCK])
            cosine = np.einsum("ij,ij->i", integers, integers) * TO_COSINE
            self.own[low : low + BLOCK] = _likeness(cosine, width) + NUGGET
        self.rest = self.own.copy()
        self.near = NearestPicks(rows)

    def add(self, picks: np.ndarray) -> np.ndarray:
        """Add picks to the factor; return the gain of each row."""
        self.picks = np.concatenate((self.picks, picks))
        if len(picks):
            self._add_columns(picks)
        return self.gain(self.worth, self.rest, self.near.cosine)

    def _add_columns(self, picks: np.ndarray) -> None:
        """Append a column for each pick; where the factor is full, begin it anew with the last picks."""
        rows = picks
        if self.filled + len(picks) > self.window:
            self.forgotten, self.filled = True, 0
            rows = self.picks[-max(len(picks), self.window // 2) :]
            self.rest = self.own.copy()
        columns = slice(self.filled, self.filled + len(rows))
        before = self.factor[rows, : self.filled].astype(np.float64)
        integers, new = to_integers(self.vectors[rows]).T, slice(len(rows) - len(picks), None)
        among = _likeness((integers.T @ integers) * TO_COSINE, self.width)
        among[np.diag_indices_from(among)] += NUGGET
        inverse = np.linalg.inv(np.linalg.cholesky(among - before @ before.T)).T
        for low in range(0, len(self.vectors), BLOCK):
            part = slice(low, low + BLOCK)
            cosine = (to_integers(self.vectors[part]) @ integers) * TO_COSINE
            explained = self.factor[part, : self.filled].astype(np.float64) @ before.T
            block = (_likeness(cosine, self.width) - explained) @ inverse
            self.factor[part, columns] = block
            self.rest[part] = np.maximum(self.rest[part] - np.einsum("ij,ij->i", block, block), NUGGET)
            self.near.update(part, cosine[:, new], picks, np.float32(1))
        self.filled += len(rows)

    def front(self, rows: np.ndarray, most: int) -> "_DeterminantFront":
        """Return the gains of the given rows alone, with room for ``most`` picks."""
        return _DeterminantFront(self, rows, most)

    def gain(self, worth: np.ndarray, rest: np.ndarray, near: np.ndarray) -> np.ndarray:
        """Return the log of how much rows add to the determinant."""
        if self.forgotten:  # the nearest pick explains a part of a row by itself
            rest = np.minimum(rest, np.maximum(1 + NUGGET - _likeness(near, self.width) ** 2 / (1 + NUGGET), NUGGET))
        return worth + np.log(rest)


class _DeterminantFront:
    """The gains of the rows in the front, updated pick by pick by the columns of a factor of their own (float64)."""

    def __init__(self, gains: _DeterminantGains, rows: np.ndarray, most: int) -> None:
        self.gains, self.filled = gains, gains.filled
        self.integers, self.worth = to_integers(gains.vectors[rows]), gains.worth[rows]
        self.rest, self.near = gains.rest[rows], gains.near.cosine[rows]
        self.factor = np.zeros((len(rows), self.filled + most))
        self.factor[:, : self.filled] = gains.factor[rows, : self.filled]

    def add(self, pick: int) -> np.ndarray:
        """Add a pick; return the gain of each row."""
        cosine = (self.integers @ self.integers[pick]) * TO_COSINE
        explained = self.factor[:, : self.filled] @ self.factor[pick, : self.filled]
        column = (_likeness(cosine, self.gains.width) - explained) / np.sqrt(self.rest[pick])
        self.factor[:, self.filled] = column
        self.filled += 1
        self.rest = np.maximum(self.rest - column * column, NUGGET)
        self.near = np.maximum(self.near, cosine)
        return self.gains.gain(self.worth, self.rest, self.near)
