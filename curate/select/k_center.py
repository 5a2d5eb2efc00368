"""A diverse subset: again and again the row that is farthest from all kept ones (greedy k-center).

Gonzalez 1985, which covers every row within twice the best possible radius; used to choose training data by Sener and
Savarese 2018. Distance is cosine's. The first row is the one nearest the mean of all, so nothing is left to chance.
"""

import numpy as np
import polars as pl

from curate.keep import rows_to_keep

BLOCK = 1 << 14  # rows in a matrix product: bounds the memory beside the embeddings
FRONT = 1024  # rows among which the next picks are looked for, at least


def subset(embedding: pl.Series, *, keep: int | float) -> pl.DataFrame:
    """Return, a row per embedding, ``kept``, ``nearest`` (row number of the nearest kept row) and ``similarity``.

    ``embedding`` is an Array(Float32, d) column. ``keep`` is a number of rows, or a share in (0, 1] where it has a
    decimal point; raises ``UserError`` for others. ``similarity`` is the cosine to ``nearest``; both are null for kept
    rows. Rows without a direction (null, all zero, or with a value that is no number) are not kept and have none.
    """
    count = rows_to_keep(keep, len(embedding), "select k_center")
    vectors, usable = _unit(embedding)
    kept, nearest, similarity = _farthest_first(vectors, min(count, len(vectors)))
    rows = np.flatnonzero(usable)
    chosen = np.zeros(len(embedding), bool)
    chosen[rows[kept]] = True
    table = pl.DataFrame({"row": rows, "nearest": rows[kept][nearest] if len(kept) else rows, "similarity": similarity})
    result = pl.DataFrame({"kept": chosen}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    result = result.join(table, on="row", how="left", maintain_order="left")
    other = ~pl.col("kept")
    return result.select(
        "kept",
        nearest=pl.when(other).then("nearest").cast(pl.Int64),
        similarity=pl.when(other).then("similarity").cast(pl.Float64),
    )


def _unit(embedding: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the usable rows as unit vectors (float32, rows x d) and which rows are usable."""
    present = embedding.is_not_null().to_numpy()
    if not present.any():
        return np.zeros((0, 1), np.float32), present
    vectors = np.asarray(embedding.drop_nulls().to_numpy(), dtype=np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    usable = present.copy()
    usable[present] = good
    return vectors[good] / lengths[good, None], usable


def _farthest_first(vectors: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pick ``count`` rows; return them, each row's nearest (a position among the picks) and the cosine to it.

    A row's cosine to its nearest pick only grows as picks are added, so an old value bounds how far the row can be.
    Picks are therefore looked for among the ``front`` (the rows that were farthest at the last full count) for as
    long as its farthest row is farther than any row outside can be; only then are all rows counted again, with all
    new picks in one matrix product. The picks are those of the plain loop.
    """
    rows = len(vectors)
    nearest, closest = np.zeros(rows, np.int64), np.full(rows, -np.inf, np.float32)
    if not count:
        return np.zeros(0, np.int64), nearest, closest
    picks = [int(np.argmax(vectors @ vectors.mean(axis=0)))]
    counted = 0
    while True:
        _count(vectors, picks, counted, nearest, closest)
        counted = len(picks)
        if counted == count:
            return np.array(picks), nearest, closest
        size = min(rows, max(FRONT, rows // 32))
        order = np.argpartition(closest, size - 1) if size < rows else np.arange(rows)
        front = np.sort(order[:size])
        outside = closest[order[size:]].min() if size < rows else np.inf
        near, front_vectors = closest[front], vectors[front]
        while len(picks) < min(count, counted + FRONT):
            far = int(np.argmin(near))
            if near[far] > outside or (near[far] == outside and len(picks) > counted):
                break
            picks.append(int(front[far]))
            near = np.maximum(near, front_vectors @ vectors[front[far]])
            near[far] = np.inf


def _count(vectors: np.ndarray, picks: list[int], counted: int, nearest: np.ndarray, closest: np.ndarray) -> None:
    """Bring every row's nearest pick up to date with ``picks[counted:]``, in place."""
    new = vectors[picks[counted:]]
    for low in range(0, len(vectors), BLOCK):
        cosine = vectors[low : low + BLOCK] @ new.T
        best = cosine.argmax(axis=1)
        value = cosine[np.arange(len(best)), best]
        nearer = value > closest[low : low + BLOCK]
        nearest[low : low + BLOCK][nearer] = best[nearer] + counted
        closest[low : low + BLOCK][nearer] = value[nearer]
    closest[picks] = np.inf
