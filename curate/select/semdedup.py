"""SemDeDup: within k-means cells, of rows that mean nearly the same keep the best, or the farthest from the centre.

Abbas and others 2023 (arXiv 2303.09540): cluster the embeddings and compare only rows of one cell. Of rows whose cosine
is above ``1 - epsilon`` keep the one least like its cell's centre, the hard one; epsilon is tuned until the wanted
number of rows is left. Here ``threshold`` is that ``1 - epsilon``, or ``keep`` says how many rows are wanted.

Differences to the authors' code: there a row is dropped for any farther row it is near to, even one that is dropped
itself, so that of a chain of rows, each near the next, only one end stays. Here it is dropped only for one that stays,
which is named in the result. The cells are learnt from a sample, and a score, where there is one, takes the place of
the distance to the centre. As there, two rows on either side of a border between cells are never compared.
"""

import numpy as np
import polars as pl

from curate.algorithms.vectors.integer_vectors import inverse_lengths, to_integers
from curate.algorithms.vectors.kmeans import cells, centres, members, nearest_in_cell
from curate.algorithms.vectors.neighbours import usable_vectors
from curate.select._keep import rows_to_keep
from curate.select._subset_table import cosine_to_nearest, scaled_scores, subset_table
from schemas.errors import UserError

BLOCK = 256  # rows decided at a time
LOWEST, HIGHEST = -1.001, 0.9999  # thresholds below all cosines, and above all but those of nearly equal rows
TRIES = 32  # thresholds tried side by side
PASSES = 3  # each narrows the range of the threshold to about a thirtieth


def subset(
    embedding: pl.Series,
    score: pl.Series,
    *,
    keep: int | float | None = None,
    threshold: float | None = None,
    clusters: int | None = None,
    seed: int = 0,
) -> tuple[pl.DataFrame, str]:
    """Drop rows that are near a kept row of their cluster.

    Cosines are compared with the threshold for embeddings rounded to 12 bits a number, which moves a cosine by 0.0003
    at most in all but odd ones. Rows without a direction (null, zero, or with a value that is no number) are not kept.

    Args:
        embedding: An Array(Float32, d) column.
        score: A number for each row, or null; nulls rank last. Where all are null, rows rank by their distance to the
            centre.
        keep: A number of rows, or a share in (0, 1] if it has a decimal point. The threshold is then searched that
            leaves as many or fewer, and the rows least like a kept one are added up to exactly that number.
        threshold: The cosine (-1 to 1) above which a row is dropped for a kept one of its cell. Give either this or
            ``keep``.
        clusters: The number of cells; by default the square root of the number of rows. At most as many as ``keep``.
        seed: The seed of the clusters.

    Returns:
        A table with a row per embedding, and a line on the threshold and the clusters. Columns: ``kept``; ``nearest``,
        the row number of the nearest kept row of the same cluster, or of all where the cluster has none;
        ``similarity``, the cosine to it; and ``cluster`` (from 0 up; null where unknown).

    Raises:
        UserError: For a setting out of range.
    """
    _check(keep, threshold, clusters)
    vectors, usable = usable_vectors(embedding)
    rows = len(vectors)
    count = min(rows, rows_to_keep(keep, len(embedding), "select semdedup")) if keep is not None else rows
    if not rows:
        return subset_table(usable, np.zeros(0, bool), np.zeros(0, int), np.zeros(0), np.zeros(0, int)), "no rows"
    found = centres(vectors, min(clusters or max(1, round(rows**0.5)), count), seed)
    cell, typical = cells(vectors, found)
    values = scaled_scores(score, usable)
    order = np.lexsort((typical, np.where(np.isfinite(values), -values, np.inf)))
    if keep is None:
        kept = _stay(vectors, cell, order, np.array([threshold], np.float32)) > 0
        near, cosine = nearest_in_cell(vectors, cell, kept)
    else:
        kept, threshold = _highest_threshold(vectors, cell, order, count)
        near, cosine = nearest_in_cell(vectors, cell, kept)
        if kept.sum() < count:  # those least like a kept one, and of equally like ones the best
            least = order[np.argsort(np.where(kept, np.inf, cosine)[order], kind="stable")]
            kept[least[: count - kept.sum()]] = True
            near, cosine = nearest_in_cell(vectors, cell, kept)
    summary = f"threshold {threshold:.4f}, {len(np.unique(cell))} clusters"
    return subset_table(usable, kept, near, cosine_to_nearest(vectors, kept, near), cell), summary


def _check(keep: int | float | None, threshold: float | None, clusters: int | None) -> None:
    """Raise ``UserError`` for settings out of range."""
    if (keep is None) == (threshold is None):
        raise UserError(
            f"select semdedup: expected one of keep and threshold, found {'neither' if keep is None else 'both'}"
        )
    if threshold is not None and not -1 <= threshold <= 1:
        raise UserError(f"select semdedup: threshold: expected a cosine from -1 to 1, found {threshold!r}")
    if clusters is not None and clusters < 1:
        raise UserError(f"select semdedup: clusters: expected a number from 1 up, found {clusters}")


def _highest_threshold(
    vectors: np.ndarray, cell: np.ndarray, order: np.ndarray, count: int
) -> tuple[np.ndarray, float]:
    """Return the rows (Boolean) that the highest threshold leaving at most ``count`` keeps, and that threshold."""
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
    """Return at which of the ``thresholds`` each row stays (uint64, a bit each), deciding each cell in ``order``."""
    from curate.select._semdedup_loops import decide_block

    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    stays = np.zeros(len(order), np.uint64)
    for rows in members(cell):
        rows = rows[np.argsort(rank[rows])]
        kept, lengths, stayed = np.empty((BLOCK, vectors.shape[1]), np.float32), np.zeros(0, np.float32), stays[:0]
        for low in range(0, len(rows), BLOCK):
            part = rows[low : low + BLOCK]
            integers = to_integers(vectors[part])
            inverse = inverse_lengths(integers)
            before = (integers @ kept[: len(stayed)].T) * inverse[:, None] * lengths
            among = (integers @ integers.T) * inverse[:, None] * inverse
            result = np.zeros(len(part), np.uint64)
            decide_block(before, stayed, among, thresholds, result)
            stays[part] = result
            new = result > 0
            if len(stayed) + new.sum() > len(kept):
                kept = np.concatenate([kept, np.empty((max(BLOCK, len(kept)), kept.shape[1]), np.float32)])
            kept[len(stayed) : len(stayed) + new.sum()] = integers[new]
            lengths, stayed = np.append(lengths, inverse[new]), np.append(stayed, result[new])
    return stays
