"""Positions of vectors in two dimensions, for a map: rows that are near in meaning are near on it.

UMAP (McInnes, Healy, Melville 2018): a weighted graph of nearest neighbours, laid out by pulling along its edges and
pushing random points apart, from the two main axes (PCA) as the start. It is written here because umap-learn compiles
for 10 s in each process, which is all that a report may take; this loop's machine code is kept (docs/benchmarks.md has
both). The kernel differs in its exponent, 1 instead of 0.9.
"""

import numpy as np

from curate.algorithms.vectors import kmeans
from curate.algorithms.vectors.cosine_bounds import shorten
from curate.algorithms.vectors.neighbour_graph import neighbour_graph

VERSION = "1"  # of the places: positions that are kept hold for the version that made them
NEIGHBOURS = 15
FEW = 10_000  # rows up to which there are more rounds
ROUNDS = (400, 200)  # of few rows, of many
LEAST = 8  # rows from which neighbours mean anything; fewer are placed by their main axes
EXACT = 20_000  # rows up to which every row is compared with every other
CELL, CELLS = 400, 8  # rows of a cell of more, and how many cells a row is compared with
HALVINGS = 32  # of the search for a row's width
START = 10.0  # the farthest coordinate of the start


def positions(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Return a place for each vector; equal arguments give equal places.

    Args:
        vectors: Unit vectors (float32, rows x d, read-only).
        seed: For the random draws.

    Returns:
        The places (float32, rows x 2).
    """
    places = main_axes(vectors)
    count = len(vectors)
    if count < LEAST:
        return places
    from curate.algorithms.vectors.layout_loops import settle

    most = float(np.abs(places).max())
    draw = np.random.default_rng(seed)
    noise = draw.normal(scale=1e-3 * START, size=places.shape)  # else rows with equal vectors would stay one point
    places = (places * (START / most if most else 1.0) + noise).astype(np.float32)
    near, cosines = _neighbours(vectors, min(NEIGHBOURS, count - 1) + 1, seed)
    heads, tails, weights = _edges(near, cosines)
    if not len(heads):
        return places
    rounds = ROUNDS[count > FEW]
    strong = weights >= weights.max() / rounds  # a weaker edge would never have its turn
    heads, tails, weights = heads[strong], tails[strong], weights[strong]
    settle(places, heads, tails, weights.max() / weights, rounds, seed)
    return places


def main_axes(vectors: np.ndarray) -> np.ndarray:
    """Return the two main components (PCA) of each vector (float32, rows x 2); the sign of an axis is fixed."""
    if not len(vectors):
        return np.zeros((0, 2), np.float32)
    middle = vectors.mean(axis=0, dtype=np.float64)
    spread = (vectors.T @ vectors).astype(np.float64) / len(vectors) - np.outer(middle, middle)
    axes = np.linalg.eigh(spread)[1][:, ::-1][:, :2]
    axes = axes * np.where(axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    places = np.zeros((len(vectors), 2), np.float32)
    places[:, : axes.shape[1]] = (vectors - middle.astype(np.float32)) @ axes.astype(np.float32)
    return places


def _neighbours(vectors: np.ndarray, most: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``most`` nearest rows of each row, itself included (-1 for none), and the cosines to them.

    Of more than ``EXACT`` rows each is compared with those of its own k-means cell and of the cells next to it.
    """
    count = len(vectors)
    every = np.arange(count)
    short = shorten(vectors, every, min(1.0, most / min(count, CELL * CELLS)))
    if count <= EXACT:
        return neighbour_graph(vectors, short, every, every, most)
    found = kmeans.centres(vectors, count // CELL, seed)
    cell, _ = kmeans.cells(vectors, found)
    rows_of = {int(cell[rows[0]]): rows for rows in kmeans.members(cell)}
    found = found / np.linalg.norm(found, axis=1, keepdims=True)
    close = np.argsort(-(found @ found.T), axis=1, kind="stable")[:, :CELLS]
    near, cosines = np.full((count, most), -1, np.int32), np.zeros((count, most), np.float32)
    for own, rows in rows_of.items():
        candidates = np.concatenate([rows_of[one] for one in sorted({own, *close[own].tolist()} & rows_of.keys())])
        places, cosines[rows] = neighbour_graph(vectors, short, rows, candidates, most)
        near[rows] = np.where(places >= 0, candidates[places], -1)
    return near, cosines


def _edges(near: np.ndarray, cosines: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the edges of the graph, each once: its two rows (int32), and its weight (float32)."""
    count = len(near)
    rows = np.repeat(np.arange(count), near.shape[1])
    others, distance = near.ravel().astype(np.int64), (1 - cosines).clip(0)
    weights = _weights(distance, (near >= 0) & (near != np.arange(count)[:, None])).ravel()
    held = (others >= 0) & (others != rows) & (weights > 0)
    rows, others, weights = rows[held], others[held], weights[held]
    key = np.minimum(rows, others) * count + np.maximum(rows, others)
    order = np.argsort(key, kind="stable")
    unique, first = np.unique(key[order], return_index=True)
    absent = 1 - weights[order]  # of an edge seen from both sides, the chance that neither holds
    both = 1 - np.multiply.reduceat(absent, first)
    return (unique // count).astype(np.int32), (unique % count).astype(np.int32), both.astype(np.float32)


def _weights(distance: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return how strongly each neighbour is one: 1 for the nearest, and for all of a row together log2 of their number.

    Args:
        distance: The distances (float32, rows x neighbours).
        held: Which of them are neighbours.
    """
    nearest = np.where(held, distance, np.inf).min(axis=1)
    beyond = np.where(held, distance - np.where(np.isfinite(nearest), nearest, 0)[:, None], np.inf).astype(np.float64)
    goal = np.log2(np.maximum(held.sum(axis=1), 2))
    low, high = np.zeros(len(distance)), np.full(len(distance), 2.0)
    for _ in range(HALVINGS):
        width = (low + high) / 2
        over = np.exp(-beyond / np.maximum(width, 1e-12)[:, None]).sum(axis=1) > goal
        high, low = np.where(over, width, high), np.where(over, low, width)
    width = np.maximum((low + high) / 2, 1e-3 * max(float(distance[held].mean()) if held.any() else 0.0, 1e-6))
    return np.exp(-beyond / width[:, None])
