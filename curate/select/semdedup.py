"""SemDeDup: within k-means cells, of rows that mean nearly the same keep the one farthest from the centre, or the best.

Abbas and others 2023 (arXiv 2303.09540): cluster the embeddings, compare only rows of one cell, and of rows whose
cosine is above ``1 - epsilon`` keep the one least like its cell's centre, the hard one; epsilon is tuned until as much
is left as is wanted. Here ``threshold`` is that ``1 - epsilon``, or ``keep`` says how much is wanted.

Where this differs from the authors' code: there a row goes for any farther row it is near to, even one that goes
itself, so that of a chain of rows, each near the next, one end stays alone. Here it goes only for one that stays, which
it can name. The cells are learnt from a sample, and a score, where there is one, takes the place of the distance to the
centre. As there, two rows on either side of a border between cells are never compared.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.kmeans import cells, centres, members, nearest_in_cell
from curate.algorithms.vectors.subsets import comparable, decided, directed, to_nearest
from curate.algorithms.vectors.whole import inverse_lengths, whole
from curate.select._keep import rows_to_keep
from schemas.errors import UserError

BLOCK = 256  # rows looked at at a time
LOWEST, HIGHEST = -1.001, 0.9999  # thresholds that all rows are above, and that only rows as good as equal are
TRIES = 32  # thresholds tried side by side
PASSES = 3  # each finds a thirtieth of where the threshold may lie


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float | None = None,
    threshold: float | None = None,
    clusters: int | None = None,
    seed: int = 0,
) -> tuple[pl.DataFrame, str]:
    """Return, a row per embedding, ``kept``, ``nearest``, ``similarity`` and ``cluster`` (0 up; null where unknown).

    ``embedding`` is an Array(Float32, d) column, ``score`` a number for each row or null, nulls ranking last; where all
    are null, rows rank by their distance to the centre. Give one of ``threshold``, the cosine (-1 to 1) above which a
    row goes for a kept one of its cell, and ``keep``, a number of rows or a share in (0, 1] where it has a decimal
    point: then the threshold is found that leaves as few as that or fewer, and the rows least like a kept one are added
    until there are exactly so many. ``clusters`` is the number of cells: the square root of the number of rows where it
    is not given, and at most as many as ``keep``.

    ``nearest`` is the nearest kept row of the same cluster, or of all where the cluster has none, and ``similarity``
    the cosine to it. What is compared with the threshold is of embeddings rounded to 12 bits a number, which moves a
    cosine by 0.0003 at most in all but odd ones. Rows without a direction (null, zero, or with a value that is no
    number) are not kept. Raises ``UserError`` for settings out of range.
    """
    _check(keep, threshold, clusters)
    vectors, usable = directed(embedding)
    rows = len(vectors)
    count = min(rows, rows_to_keep(keep, len(embedding), "select semdedup")) if keep is not None else rows
    if not rows:
        return decided(usable, np.zeros(0, bool), np.zeros(0, int), np.zeros(0), np.zeros(0, int)), "no rows"
    found = centres(vectors, min(clusters or max(1, round(rows**0.5)), count), seed)
    cell, typical = cells(vectors, found)
    values = comparable(score, usable)
    order = np.lexsort((typical, np.where(np.isfinite(values), -values, np.inf)))
    if keep is None:
        kept = _stay(vectors, cell, order, np.array([threshold], np.float32)) > 0
        near, cosine = nearest_in_cell(vectors, cell, kept)
    else:
        kept, threshold = _fewest(vectors, cell, order, count)
        near, cosine = nearest_in_cell(vectors, cell, kept)
        if kept.sum() < count:  # those least like a kept one, and of equally like ones the best
            least = order[np.argsort(np.where(kept, np.inf, cosine)[order], kind="stable")]
            kept[least[: count - kept.sum()]] = True
            near, cosine = nearest_in_cell(vectors, cell, kept)
    said = f"threshold {threshold:.4f}, {len(np.unique(cell))} clusters"
    return decided(usable, kept, near, to_nearest(vectors, kept, near), cell), said


def _check(keep: int | float | None, threshold: float | None, clusters: int | None) -> None:
    if (keep is None) == (threshold is None):
        raise UserError(
            f"select semdedup: expected one of keep and threshold, found {'neither' if keep is None else 'both'}"
        )
    if threshold is not None and not -1 <= threshold <= 1:
        raise UserError(f"select semdedup: threshold: expected a cosine from -1 to 1, found {threshold!r}")
    if clusters is not None and clusters < 1:
        raise UserError(f"select semdedup: clusters: expected a number from 1 up, found {clusters}")


def _fewest(vectors: np.ndarray, cell: np.ndarray, order: np.ndarray, count: int) -> tuple[np.ndarray, float]:
    """Return the rows that stay (bool) at the highest threshold found that leaves at most ``count``, and it."""
    low, high = LOWEST, HIGHEST
    for _ in range(PASSES):
        thresholds = np.linspace(low, high, TRIES, dtype=np.float32)
        stays = _stay(vectors, cell, order, thresholds)
        left = [np.count_nonzero(stays >> np.uint64(bit) & np.uint64(1)) for bit in range(TRIES)]
        best = int(np.flatnonzero(np.array(left) <= count).max())
        kept, low = (stays >> np.uint64(best) & np.uint64(1)).astype(bool), float(thresholds[best])
        if left[best] == count or best == TRIES - 1:
            break
        high = float(thresholds[best + 1])
    return kept, low


def _stay(vectors: np.ndarray, cell: np.ndarray, order: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Return at which of the ``thresholds`` each row stays (uint64, bit by bit), going down each cell in ``order``."""
    from curate.select._thin import thin

    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    stays = np.zeros(len(order), np.uint64)
    for rows in members(cell):
        rows = rows[np.argsort(rank[rows])]
        pool, lengths, stayed = np.empty((BLOCK, vectors.shape[1]), np.float32), np.zeros(0, np.float32), stays[:0]
        for low in range(0, len(rows), BLOCK):
            part = rows[low : low + BLOCK]
            numbers = whole(vectors[part])
            inverse = inverse_lengths(numbers)
            before = (numbers @ pool[: len(stayed)].T) * inverse[:, None] * lengths
            among = (numbers @ numbers.T) * inverse[:, None] * inverse
            result = np.zeros(len(part), np.uint64)
            thin(before, stayed, among, thresholds, result)
            stays[part] = result
            new = result > 0
            if len(stayed) + new.sum() > len(pool):
                pool = np.concatenate([pool, np.empty((max(BLOCK, len(pool)), pool.shape[1]), np.float32)])
            pool[len(stayed) : len(stayed) + new.sum()] = numbers[new]
            lengths, stayed = np.append(lengths, inverse[new]), np.append(stayed, result[new])
    return stays
