"""Diversity metrics of a chosen set of rows, beside those of a random set of the same size.

Covering radius and mean distance tell how near every row is to the chosen ones. The Vendi score (Friedman and Dieng
2022) is the effective number of distinct rows among them. The counts by cluster show whether whole kinds of rows were
left out.
"""

import json

import numpy as np
import polars as pl

from curate.algorithms.vectors.kmeans import cells, centres
from curate.algorithms.vectors.neighbours import nearest, usable_vectors

BLOCK = 1 << 12  # rows in one matrix product
PRODUCTS = 1 << 34  # multiplications for the distances of both sets: about a second on one core
LEAST = 1 << 9  # rows whose distances are measured, at least
CELLS = 20
SCHEMA = {
    "set": pl.String,
    "rows": pl.Int64,
    "covering_radius": pl.Float64,
    "mean_distance": pl.Float64,
    "vendi": pl.Float64,
    "clusters": pl.String,
    "sampled": pl.Int64,
}


def measure(embedding: pl.Series, kept: pl.Series, seed: int = 0, *, products: int = PRODUCTS) -> pl.DataFrame:
    """Measure the diversity of the kept rows, and of a random set of as many rows.

    Args:
        embedding: An Array(Float32, d) column; rows without a direction are left out of everything.
        kept: Which rows were chosen (Boolean).
        seed: The seed of the random set, of the sample and of the clusters.
        products: How many multiplications the distances may take.

    Returns:
        A row for each of the two sets (``set``: ``kept`` and ``random``); the figures of an empty set are null.

        - ``rows``: the size of the set.
        - ``covering_radius``, ``mean_distance``: the greatest and the mean distance (1 - cosine, 0 to 2) from a row to
          the nearest row of the set.
        - ``sampled``: over how many rows they are taken: all, or, where that takes more than ``products``
          multiplications, a random part; the radius is then a lower bound.
        - ``vendi``: the exact Vendi score of the set under the cosine, 1 to the smaller of d and ``rows``.
        - ``clusters``: how many rows of the set lie in each of 20 k-means cells of all rows (or of as many cells as
          there are rows), as a JSON list.
    """
    vectors, usable = usable_vectors(embedding)
    chosen = np.flatnonzero(kept.fill_null(False).to_numpy()[usable])
    draw = np.random.default_rng(seed)
    other = np.sort(draw.choice(len(vectors), len(chosen), replace=False))
    if not len(chosen):
        return pl.DataFrame([{"set": name, "rows": 0, "sampled": 0} for name in ("kept", "random")], schema=SCHEMA)
    most = max(LEAST, products // (2 * len(chosen) * vectors.shape[1]))
    sample = np.sort(draw.choice(len(vectors), most, replace=False)) if most < len(vectors) else np.arange(len(vectors))
    found = centres(vectors, min(CELLS, len(vectors)), seed)
    rows = []
    for name, members in (("kept", chosen), ("random", other)):
        distance = 1 - nearest(vectors, members, sample)[1]
        parts = [np.bincount(cells(vectors[part], found)[0], minlength=len(found)) for part in _blocks(members)]
        counts = np.sum(parts, axis=0)
        rows.append(
            {
                "set": name,
                "rows": len(members),
                "covering_radius": round(float(distance.max()), 5),
                "mean_distance": round(float(distance.mean(dtype=np.float64)), 5),
                "vendi": round(vendi(vectors, members), 3),
                "clusters": json.dumps(counts.tolist()),
                "sampled": len(sample),
            }
        )
    return pl.DataFrame(rows, schema=SCHEMA)


def vendi(vectors: np.ndarray, rows: np.ndarray) -> float:
    """Return the Vendi score of ``rows`` of unit vectors: the exponential of the entropy of their kernel's eigenvalues.

    The n x n matrix of cosines has the same eigenvalues, apart from zeros, as the d x d matrix of products of columns.
    """
    products = np.zeros((vectors.shape[1],) * 2)
    for part in _blocks(rows):
        block = vectors[part]
        products += block.T @ block
    shares = np.linalg.eigvalsh(products / len(rows))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _blocks(rows: np.ndarray) -> list[np.ndarray]:
    """Return the rows in blocks of at most ``BLOCK``."""
    return [rows[low : low + BLOCK] for low in range(0, len(rows), BLOCK)]
