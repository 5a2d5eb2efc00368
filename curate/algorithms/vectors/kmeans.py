"""Spherical k-means: cells of vectors that point the same way, and the kept row nearest to each row of a cell.

Dhillon and Modha 2001: a centre is the mean direction of its cell, and a row belongs to the centre of greatest cosine.
The centres are learnt from a sample, as in faiss, and every row is then assigned to a cell once. It is written here, in
NumPy, because it is short and because the core does without scikit-learn, whose k-means uses distances and rounds
differently with the number of threads. The cells of this one depend on nothing but the vectors and the seed.
"""

from collections.abc import Iterator

import numpy as np

from curate.algorithms.vectors.integer_vectors import inverse_lengths, to_integers

BLOCK = 1 << 22  # numbers in one block of products
SAMPLE = 64  # rows to learn a centre from
LEAST = 1 << 13  # rows to learn all centres from, at least
ROUNDS = 12
MANY = 1024  # kept rows of a cell from which it is worth looking for equal ones


def centres(vectors: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Learn ``clusters`` centres from unit vectors (float32, rows x d; at least one row).

    A centre that no row is nearest to is moved to the row that is farthest from its own centre. Where fewer distinct
    rows than centres are left, some centres stay without rows.

    Returns:
        The centres as integer vectors (float32, clusters x d); at most as many as there are rows.
    """
    draw = np.random.default_rng(seed)
    count = min(len(vectors), max(SAMPLE * clusters, LEAST))
    sample = to_integers(vectors[np.sort(draw.choice(len(vectors), count, replace=False))])
    found = sample[draw.choice(count, min(clusters, count), replace=False)]
    before = None
    for _ in range(ROUNDS):
        cell, cosine = _assign(sample, found)
        if before is not None and np.array_equal(cell, before):
            break
        before = cell
        order, starts, full = _by_cell(cell)
        sums = np.add.reduceat(sample[order], starts, axis=0)
        found[full] = to_integers(sums * inverse_lengths(sums)[:, None])
        empty = np.setdiff1d(np.arange(len(found)), full)
        found[empty] = sample[np.argsort(cosine, kind="stable")[: len(empty)]]
    return found


def cells(vectors: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each row's cell (int64, a row of the centres ``found``) and its cosine to that centre (float32)."""
    cell, cosine = np.zeros(len(vectors), np.int64), np.zeros(len(vectors), np.float32)
    step = max(1, BLOCK // max(found.shape))
    for low in range(0, len(vectors), step):
        part = slice(low, low + step)
        cell[part], cosine[part] = _assign(to_integers(vectors[part]), found)
    return cell, cosine


def members(cell: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the row numbers of each cell that has rows, in ascending order."""
    order, starts, _ = _by_cell(cell)
    yield from np.split(order, starts[1:])


def nearest_in_cell(vectors: np.ndarray, cell: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find, for each row that is not kept, the nearest kept row of its own cell.

    Rows of cells without a kept row get the nearest of all kept rows.

    Args:
        vectors: Unit vectors (float32, rows x d).
        cell: The cell of each row.
        kept: Which rows are kept (Boolean).

    Returns:
        The row number of the nearest kept row (-1 for kept rows, and where none is kept), and the cosine to it.
    """
    nearest, cosine = np.full(len(cell), -1), np.full(len(cell), -1, np.float32)
    alone = []
    for rows in members(cell):
        near, others = rows[kept[rows]], rows[~kept[rows]]
        if len(near):
            nearest[others], cosine[others] = _nearest(vectors, others, near)
        else:
            alone.append(others)
    if alone and kept.any():
        others = np.concatenate(alone)
        nearest[others], cosine[others] = _nearest(vectors, others, np.flatnonzero(kept))
    return nearest, cosine


def _nearest(vectors: np.ndarray, rows: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each of ``rows``, the nearest of ``near`` (row numbers) and the cosine to it.

    Of equal rows in ``near`` only one is compared, so that many equal rows cost little.
    """
    integers = to_integers(vectors[near])
    if len(near) > MANY:
        integers, first = np.unique(integers, axis=0, return_index=True)
        near = near[first]
    lengths = inverse_lengths(integers)
    nearest, cosine = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.float32)
    step = max(1, BLOCK // max(integers.shape))
    for low in range(0, len(rows), step):
        block = to_integers(vectors[rows[low : low + step]])
        product = (block @ integers.T) * lengths
        best = product.argmax(axis=1)
        nearest[low : low + step] = near[best]
        cosine[low : low + step] = product[np.arange(len(best)), best] * inverse_lengths(block)
    return nearest, cosine


def _assign(integers: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the nearest centre of each integer vector, and the cosine to it."""
    cell, cosine = np.zeros(len(integers), np.int64), np.zeros(len(integers), np.float32)
    lengths = inverse_lengths(found)  # so that nearly equal rows are not all nearest to the longest centre
    step = max(1, BLOCK // len(found))
    for low in range(0, len(integers), step):
        part = slice(low, low + step)
        product = (integers[part] @ found.T) * lengths
        cell[part] = product.argmax(axis=1)
        cosine[part] = product[np.arange(len(product)), cell[part]] * inverse_lengths(integers[part])
    return cell, cosine


def _by_cell(cell: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows in order of their cell, where each cell begins in that order, and the cells that have rows."""
    order = np.argsort(cell, kind="stable")
    full, starts = np.unique(cell[order], return_index=True)
    return order, starts, full
