"""Unit vectors from an embedding column, true cosines of pairs, and the nearest of some rows to every row.

All functions go through the vectors in blocks of rows, so that the vectors may lie in a memory-mapped file.
"""

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks

BLOCK = 1 << 12  # rows and chosen rows in one matrix product: 64 MB of cosines, and twice a block of vectors
UNIT = 1e-5  # how far from 1 a length may be that is taken for 1: float32 sums are off by far less, float16 by more


def unit(embedding: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors of an embedding column, and which rows have a direction.

    A row that is null, all zero or holds a value that is no finite number has no direction.

    Args:
        embedding: An Array(Float32, d) column.

    Returns:
        The vectors (float32, rows x d, read-only), and a Boolean per row. Rows with a direction are unit vectors; the
        others may hold anything, NaN included. The vectors are a view of the column, not a copy, where it has no nulls
        and its vectors already have length 1: they may then lie on disk.
    """
    vectors = embedding.to_numpy()
    if vectors.dtype != np.float32:
        vectors = vectors.astype(np.float32)
    usable = embedding.is_not_null().to_numpy().copy()
    lengths = np.ones(len(vectors))
    for low in range(0, len(vectors), BLOCK):
        block = vectors[low : low + BLOCK]
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.einsum("ij,ij->i", block, block).astype(np.float64)
            odd = np.flatnonzero(~((squares > 1e-30) & (squares < 1e30)))
            squares[odd] = np.square(block[odd], dtype=np.float64).sum(axis=1)
        usable[low : low + BLOCK] &= np.isfinite(squares) & (squares > 0)
        lengths[low : low + BLOCK] = np.sqrt(squares)
    wrong = usable & (np.abs(lengths - 1) > UNIT)
    if wrong.any():
        vectors = vectors.copy()
        vectors[wrong] = (vectors[wrong] / lengths[wrong, None]).astype(np.float32)
    vectors = np.ascontiguousarray(vectors).view(np.ndarray)
    vectors.flags.writeable = False  # as a view of a column is: compiled loops see one type of array only
    return vectors, usable


def usable_vectors(embedding: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors (float32) of the rows that have a direction, and which rows (Boolean) those are.

    The vectors are a view of the column, which may lie on disk; they are a copy only if some rows have no direction.
    """
    vectors, usable = unit(embedding)
    if not usable.all():
        vectors = vectors[usable]
        vectors.flags.writeable = False  # one type of array for the compiled loops
    return vectors, usable


def true_cosines(vectors: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the cosine (float64) of each pair of rows ``left[i]`` and ``right[i]``; exactly 1 for equal vectors."""
    from curate.algorithms.vectors.near_pair_loops import cosines

    out = np.empty(len(left))
    in_blocks(len(left), 1 << 14, lambda low, high: cosines(vectors, left[low:high], right[low:high], out[low:high]))
    return out


def nearest(
    vectors: np.ndarray, kept: np.ndarray, rows: np.ndarray | None = None, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest of the rows ``kept`` for every row of ``vectors``, or for ``rows`` only.

    Args:
        vectors: Unit vectors (float32, rows x d), as from ``unit``.
        kept: Row numbers to choose from; none of these rows may hold NaN.
        rows: Row numbers to look up; all rows if None.
        block: Rows in one matrix product.

    Returns:
        The position of the nearest row within ``kept`` (int64; the lowest of equally near ones) and the cosine to it
        (float32). A row that holds NaN has -1 and NaN, and so has every row if ``kept`` is empty.
    """
    count = len(vectors) if rows is None else len(rows)
    position, cosine = np.full(count, -1, np.int64), np.full(count, -np.inf, np.float32)
    for first in range(0, len(kept), block):
        chosen = vectors[kept[first : first + block]].T
        for low in range(0, count, block):
            product = vectors[slice(low, low + block) if rows is None else rows[low : low + block]] @ chosen
            best = product.argmax(axis=1)
            value = product[np.arange(len(best)), best]
            nearer = value > cosine[low : low + block]
            position[low : low + block][nearer] = best[nearer] + first
            cosine[low : low + block][nearer] = value[nearer]
    cosine[position < 0] = np.nan
    return position, np.clip(cosine, -1, 1)
