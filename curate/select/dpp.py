"""A determinantal point process's likeliest subset, found greedily: good rows that are unlike each other.

Fast greedy MAP inference (Chen, Zhang, Zhou 2018) over the kernel ``q_i * S_ij * q_j``: again and again the row that
adds most to the determinant, that is, the one with the greatest ``q_i ** 2`` times what of it is not explained by the
kept rows, kept up to date by a Cholesky factor that grows by a column a pick. Quality is ``q = exp(quality * z)``, z
the score in standard deviations from the mean. Likeness is ``S_ij = exp((cosine - 1) / width)``: the cosine itself has
rank d, and would tell no row from another after d picks.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.subsets import comparable, decided, directed, middle, to_nearest
from curate.algorithms.vectors.whole import SCALE, whole
from curate.select._keep import rows_to_keep
from schemas.errors import UserError

BLOCK = 1 << 12  # rows in a matrix product: bounds the memory beside the embeddings and the factor
FRONT = 512  # rows among which the next picks are looked for, at least, and how many are picked there at most
FACTOR = 1 << 27  # numbers in the Cholesky factor at most: 512 MB
NUGGET = 1e-4  # added to the kernel's diagonal, as is usual, so that equal rows leave something to divide by
UNSCORED = 1e3  # how far a row without a score is behind the worst: more than what likeness can make of it


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float,
    quality: float = 0.2,
    width: float = 0.5,
    window: int = 2048,
) -> tuple[pl.DataFrame, str]:
    """Return, a row per embedding, ``kept``, ``nearest`` (row number of the nearest kept row) and ``similarity``.

    ``embedding`` is an Array(Float32, d) column, ``score`` a number for each row or null: those without one come after
    all that have one, and where none has, likeness alone decides, from the row nearest the mean of all. ``keep`` is a
    number of rows, or a share in (0, 1] where it has a decimal point. ``quality`` (0 or more) is how much the score
    counts, ``width`` (above 0) how unlike two rows must be to leave each other alone: at a cosine of ``1 - width``
    their likeness is 1/e.

    Where more rows are kept than ``window`` (or than fit in a factor of 512 MB: 1,342 of 100,000 rows, 134 of a
    million), what the kept rows explain is counted from the last half to whole window of them, and from each row's
    nearest of all, whichever explains more; the paper's sliding window forgets the others altogether. Up to there the
    greedy choice is exact. Rows are compared by embeddings rounded to 12 bits a number; ``similarity`` is the cosine to
    ``nearest`` before that. Rows without a direction (null, zero, or with a value that is no number) are not kept and
    have none. Raises ``UserError`` for settings out of range.
    """
    count = rows_to_keep(keep, len(embedding), "select dpp")
    for name, value, least in (("quality", quality, 0), ("width", width, 1e-3), ("window", window, 2)):
        if not least <= value < np.inf:
            raise UserError(f"select dpp: {name}: expected a number from {least:g} up, found {value!r}")
    vectors, usable = directed(embedding)
    rows = len(vectors)
    remembered = min(count, window, max(2, FACTOR // max(1, rows)))
    worth = _worth(comparable(score, usable), quality)
    search = _Search(vectors, worth, width, remembered)
    if rows and not worth.any():
        search.picks = [middle(vectors)]  # all are equally good: begin where k_center does
    while len(search.picks) < min(count, rows):
        search.pick(min(count, rows))
    search.settle()
    said = "exact" if remembered >= min(count, rows) else f"by the last {remembered // 2} to {remembered} picks"
    similarity = to_nearest(vectors, search.kept, search.nearest)
    return decided(usable, search.kept, search.nearest, similarity), f"greedy MAP, {said}"


def _worth(score: np.ndarray, quality: float) -> np.ndarray:
    """Return the log of each row's ``q ** 2`` (float64)."""
    scored = np.isfinite(score)
    if not scored.any():
        return np.zeros(len(score))
    middle, spread = score[scored].mean(), score[scored].std()
    worth = 2 * quality * (score - middle) / (spread or 1)
    return np.where(scored, worth, worth[scored].min() - UNSCORED)


class _Search:
    """The state of a greedy choice: picks so far, the Cholesky factor's rows, and each row's nearest pick.

    What a row adds only falls as picks are added, so an old value bounds it. Picks are looked for among the ``front``
    (the rows that added most at the last full count) as long as its best adds as much as any row outside can; only
    then are all rows counted again, with all new picks in a few matrix products instead of one by one.
    """

    def __init__(self, vectors: np.ndarray, worth: np.ndarray, width: float, window: int) -> None:
        rows = len(vectors)
        self.vectors, self.worth, self.width, self.window = vectors, worth, width, window
        self.picks: list[int] = []
        self.counted, self.filled, self.forgotten = 0, 0, False
        self.factor = np.zeros((rows, window), np.float32)
        self.own = np.zeros(rows)  # each row's likeness to itself: 1, but for the rounding of its numbers
        for low in range(0, rows, BLOCK):
            numbers = whole(vectors[low : low + BLOCK])
            self.own[low : low + BLOCK] = self._likeness(np.einsum("ij,ij->i", numbers, numbers) * SCALE) + NUGGET
        self.left = self.own.copy()  # what of it the picks do not explain
        self.kept, self.nearest, self.near = np.zeros(rows, bool), np.zeros(rows, int), np.full(rows, -2, np.float32)

    def pick(self, count: int) -> None:
        """Bring all rows up to date and pick from the front, until there may be better rows outside or ``count``."""
        self.settle()
        adds = np.where(self.kept, -np.inf, self._adds(self.worth, self.left, self.near))
        size = min(len(adds), max(FRONT, len(adds) // 64))
        order = np.argpartition(-adds, size - 1)
        front, outside = np.sort(order[:size]), adds[order[size:]].max(initial=-np.inf)
        numbers, worth, left, near = (
            whole(self.vectors[front]),
            self.worth[front],
            self.left[front],
            self.near[front].copy(),
        )
        most = min(count - self.counted, FRONT, max(1, self.window // 2))
        factor = np.zeros((size, self.filled + most))
        factor[:, : self.filled] = self.factor[front, : self.filled]
        adds = adds[front]
        for column in range(self.filled, self.filled + most):
            best = int(adds.argmax())
            if adds[best] < outside or adds[best] == -np.inf:
                return
            self.picks.append(int(front[best]))
            cosine = (numbers @ numbers[best]) * SCALE
            new = (self._likeness(cosine) - factor[:, :column] @ factor[best, :column]) / np.sqrt(left[best])
            factor[:, column] = new
            left = np.maximum(left - new * new, NUGGET)
            near = np.maximum(near, cosine)
            taken = adds == -np.inf
            adds = self._adds(worth, left, near)
            adds[taken] = adds[best] = -np.inf

    def settle(self) -> None:
        """Bring the factor, what is left of every row and its nearest pick up to date with all picks."""
        new = self.picks[self.counted :]
        if not new:
            return
        self.kept[new] = True
        fresh, self.counted = np.array(new), len(self.picks)
        if self.filled + len(new) > self.window:
            self.forgotten, self.filled = True, 0
            new = self.picks[-max(len(new), self.window // 2) :]
            self.left = self.own.copy()
        rows = np.array(new)
        columns = slice(self.filled, self.filled + len(new))
        ahead = self.factor[rows, : self.filled].astype(np.float64)
        numbers, is_fresh = whole(self.vectors[rows]).T, slice(len(new) - len(fresh), None)
        among = self._likeness((numbers.T @ numbers) * SCALE)
        among[np.diag_indices_from(among)] += NUGGET
        turn = np.linalg.inv(np.linalg.cholesky(among - ahead @ ahead.T)).T
        for low in range(0, len(self.vectors), BLOCK):
            part = slice(low, low + BLOCK)
            cosine = (whole(self.vectors[part]) @ numbers) * SCALE
            part_of = (self._likeness(cosine) - self.factor[part, : self.filled].astype(np.float64) @ ahead.T) @ turn
            self.factor[part, columns] = part_of
            self.left[part] = np.maximum(self.left[part] - np.einsum("ij,ij->i", part_of, part_of), NUGGET)
            self._nearer(part, cosine[:, is_fresh], fresh)
        self.filled += len(new)

    def _adds(self, worth: np.ndarray, left: np.ndarray, near: np.ndarray) -> np.ndarray:
        """The log of what rows add to the determinant."""
        if self.forgotten:  # what one row explains of another by itself
            left = np.minimum(left, np.maximum(1 + NUGGET - self._likeness(near) ** 2 / (1 + NUGGET), NUGGET))
        return worth + np.log(left)

    def _likeness(self, cosine: np.ndarray) -> np.ndarray:
        return np.exp((cosine.astype(np.float64) - 1) / self.width)

    def _nearer(self, part: slice, cosine: np.ndarray, picks: np.ndarray) -> None:
        best = cosine.argmax(axis=1)
        value = cosine[np.arange(len(best)), best]
        nearer = value > self.near[part]
        self.nearest[part][nearer] = picks[best[nearer]]
        self.near[part][nearer] = value[nearer]
