"""Maximal marginal relevance: again and again the row with a good score that is unlike all kept ones.

Carbonell and Goldstein 1998: the next row is the one with the greatest ``relevance * score - (1 - relevance) * cosine``
to its nearest kept row. Scores are put on a scale from 0 (the least) to 1 (the greatest), beside which a cosine of 0.5
means something; a row without a score is taken only when no row with one is left. Without any scores the cosine alone
decides, and the first row is the one nearest the mean of all.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.subsets import comparable, decided, directed, middle, to_nearest
from curate.algorithms.vectors.whole import SCALE, whole
from curate.select._keep import rows_to_keep
from schemas.errors import UserError

BLOCK = 1 << 12  # rows in a matrix product: bounds the memory beside the embeddings
FRONT = 512  # rows among which the next picks are looked for, at least
UNSCORED = 4  # what a row without a score is behind: more than all that relevance and cosine can differ by


def subset(
    embedding: pl.Series, score: pl.Series, *, keep: int | float, relevance: float = 0.5
) -> tuple[pl.DataFrame, str]:
    """Return, a row per embedding, ``kept``, ``nearest`` (row number of the nearest kept row) and ``similarity``.

    ``embedding`` is an Array(Float32, d) column, ``score`` a number for each row or null. ``keep`` is a number of rows,
    or a share in (0, 1] where it has a decimal point. ``relevance`` (0 to 1, Carbonell and Goldstein's lambda) is the
    weight of the score; the cosine has the rest. Rows are compared by embeddings rounded to 12 bits a number;
    ``similarity`` is the cosine to ``nearest`` before that. Rows without a direction (null, zero, or with a value that
    is no number) are not kept and have none. Raises ``UserError`` for a ``keep`` or ``relevance`` out of range. Of rows
    that are equally good, either may be taken.
    """
    count = rows_to_keep(keep, len(embedding), "select mmr")
    if not 0 <= relevance <= 1:
        raise UserError(f"select mmr: relevance: expected a number from 0 to 1, found {relevance!r}")
    vectors, usable = directed(embedding)
    base, weight = _worth(comparable(score, usable), relevance)
    kept, nearest = _greedy(vectors, base, weight, min(count, len(vectors)))
    said = "by cosine alone" if weight == 1 else f"{relevance:g} of the score, {weight:g} of the cosine"
    return decided(usable, kept, nearest, to_nearest(vectors, kept, nearest)), said


def _worth(score: np.ndarray, relevance: float) -> tuple[np.ndarray | None, float]:
    """Return what each row is worth before any is kept (float32; None where no row has a score) and cosine's weight."""
    scored = np.isfinite(score)
    if not scored.any():
        return None, 1.0
    low, high = score[scored].min(), score[scored].max()
    worth = np.where(scored, (score - low) / (high - low if high > low else 1), 0) * relevance
    return np.where(scored, worth, -float(UNSCORED)).astype(np.float32), 1 - relevance


def _greedy(vectors: np.ndarray, base: np.ndarray | None, weight: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep ``count`` rows; return which (bool), and for each row its nearest kept one (row number).

    A row's cosine to its nearest kept row only grows, so an old value bounds what the row can be worth. Picks are
    therefore looked for among the ``front`` (the rows worth most at the last full count) as long as its best is worth
    as much as any row outside can be; only then are all rows counted again, with all new picks in one matrix product.
    """
    rows, weight = len(vectors), np.float32(weight)
    kept, nearest, near = np.zeros(rows, bool), np.zeros(rows, np.int64), np.full(rows, -2, np.float32)
    if not count:
        return kept, nearest
    if base is None:
        base = np.zeros(rows, np.float32)
        picks = [middle(vectors)]
    else:
        picks = [int(base.argmax())]
    counted = 0
    while True:
        _count(vectors, np.array(picks[counted:]), nearest, near)
        kept[picks[counted:]] = True
        counted = len(picks)
        if counted == count:
            return kept, nearest
        worth = np.where(kept, -np.inf, base - weight * near)
        size = min(rows, max(FRONT, rows // 64))
        order = np.argpartition(-worth, size - 1)
        front, outside = np.sort(order[:size]), worth[order[size:]].max(initial=-np.inf)
        numbers, own, closest = whole(vectors[front]), base[front], near[front]
        now = worth[front]
        while len(picks) < min(count, counted + FRONT):
            best = int(now.argmax())
            if now[best] < outside or now[best] == -np.inf:
                break
            picks.append(int(front[best]))
            np.maximum(closest, (numbers @ numbers[best]) * SCALE, out=closest)
            taken = now == -np.inf
            now = own - weight * closest
            now[taken] = now[best] = -np.inf


def _count(vectors: np.ndarray, picks: np.ndarray, nearest: np.ndarray, near: np.ndarray) -> None:
    """Bring every row's nearest kept row up to date with new ``picks``, in place."""
    new = whole(vectors[picks]).T
    for low in range(0, len(vectors), BLOCK):
        part = slice(low, low + BLOCK)
        cosine = whole(vectors[part]) @ new
        best = cosine.argmax(axis=1)
        value = cosine[np.arange(len(best)), best] * SCALE
        nearer = value > near[part]
        nearest[part][nearer] = picks[best[nearer]]
        near[part][nearer] = value[nearer]
