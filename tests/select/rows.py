"""Embeddings and scores for tests of subsets."""

import numpy as np
import polars as pl


def embeddings(rows, width=None):
    rows = [None if row is None else list(row) for row in rows]
    width = width or next((len(row) for row in rows if row is not None), 2)
    return pl.Series("embedding", rows, dtype=pl.Array(pl.Float32, width))


def numbers(values):
    return pl.Series("score", values, dtype=pl.Float64)


def unit(rows, width=16, seed=0):
    """Rows in all directions alike."""
    vectors = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def planted(rows, seed, width=16, clusters=40):
    """Rows in clusters along few directions: such as embeddings of texts are."""
    draw = np.random.default_rng(seed)
    axes = (np.arange(width) + 1.0) ** -0.7
    centres = draw.standard_normal((clusters, width))
    rows = (centres[draw.integers(0, clusters, rows)] + 0.5 * draw.standard_normal((rows, width))) * axes
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
