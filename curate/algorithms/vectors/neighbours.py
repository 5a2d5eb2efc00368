"""Embeddings as rows of unit vectors, and the nearest of some chosen ones to every row, by blocked matrix products.

Everything here goes through the vectors in blocks of rows, so that they may lie in a memory-mapped file.
"""

import numpy as np
import polars as pl

BLOCK = 1 << 12  # rows and chosen rows in one matrix product: 64 MB of cosines, and twice a block of vectors
UNIT = 1e-5  # how far from 1 a length may be that is taken for 1: float32 sums are off by far less, float16 by more


def unit(embedding: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of an Array(Float32, d) column (float32, rows x d) and which rows have a direction (Boolean).

    A row that is null, all zero or holds a value that is no finite number has no direction; what the first array holds
    there may be anything, NaN included. All others are unit vectors. The first array is a view of the column, not a
    copy, where it has no nulls and its vectors are of length 1 already: it may then lie on disk.
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
    vectors.flags.writeable = False  # as a view of a column is: so compiled loops meet one kind of array only
    return vectors, usable


def nearest(
    vectors: np.ndarray, kept: np.ndarray, rows: np.ndarray | None = None, block: int = BLOCK
) -> tuple[np.ndarray, np.ndarray]:
    """Find, for every row of ``vectors`` (or for ``rows`` only), the nearest of the rows ``kept`` (row numbers).

    ``vectors`` are unit vectors (float32, rows x d), as from ``unit``. Returns the position of the nearest among
    ``kept`` (int64; the lowest of equally near ones) and the cosine to it (float32). A row that holds NaN, and every
    row where nothing is kept, has -1 and NaN; the rows ``kept`` themselves must hold no NaN.
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
