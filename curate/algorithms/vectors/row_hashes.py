"""Hashes of vectors by content: for an order of rows, and a sample of them, that do not depend on row numbers."""

import numpy as np

from curate.algorithms.parallel import in_blocks

BLOCK = 1 << 14  # rows hashed at a time
SAMPLE = 1024  # rows in a sample


def fingerprints(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Return a hash (uint64) of every row of vectors (float32); rows equal in every bit have equal hashes."""
    from curate.algorithms.vectors.hash_loops import hash_fingerprints

    factors = np.random.default_rng(seed).integers(0, 1 << 63, vectors.shape[1], np.uint64) * np.uint64(2)
    words, out = vectors.view(np.uint32), np.empty(len(vectors), np.uint64)
    factors += np.uint64(1)
    in_blocks(len(words), BLOCK, lambda low, high: hash_fingerprints(words[low:high], factors, out[low:high]))
    return out


def vector_draws(vectors: np.ndarray, seed: int) -> np.ndarray:
    """Return a random number (uint64) for every row of vectors (float32), from its content and the seed."""
    from curate.algorithms.vectors.hash_loops import hash_rows

    words, out = vectors.view(np.uint32), np.empty(len(vectors), np.uint64)
    in_blocks(len(vectors), BLOCK, lambda low, high: hash_rows(words, seed, low, high, out))
    return out


def content_sample(vectors: np.ndarray, rows: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Return the vectors of at most ``SAMPLE`` of the rows, chosen and ordered by their hashes (``fingerprints``)."""
    if len(rows) > SAMPLE:
        rows = rows[np.argpartition(hashes[rows], SAMPLE - 1)[:SAMPLE]]
    return vectors[rows[np.argsort(hashes[rows], kind="stable")]]
