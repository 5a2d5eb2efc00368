"""Pairs of texts that are near-duplicates, found by sketches, so that only texts with a possible partner are needed."""

import numpy as np
import polars as pl

from curate.algorithms.families.components import Pairs
from curate.algorithms.text.shingles import CONTENT, Grams, bands, sketches

GRAMS = Grams(3, characters=False)  # as ``curate.dedup.minhash`` takes them, with its permutations and its recall
PERMUTATIONS, RECALL = 128, 0.995
SEED = 0  # which texts are near does not depend on the recipe's seed


def near_sketches(text: pl.Series, threshold: float) -> np.ndarray:
    """Return the sketches of texts for ``near_pairs_of`` (uint32, a row a text; ``shingles.sketches``)."""
    return sketches(text, GRAMS, bands(threshold, PERMUTATIONS, RECALL), SEED)


def with_partner(made: np.ndarray) -> np.ndarray:
    """Return which rows of ``near_sketches`` share a key with another row; a row without words does not (bool)."""
    found = np.zeros(len(made), bool)
    worded = np.flatnonzero(made[:, -CONTENT:].any(axis=1))
    for band in range(made.shape[1] - CONTENT):
        keys = made[worded, band]
        order = np.argsort(keys)
        same = keys[order[1:]] == keys[order[:-1]]
        found[worded[order[1:][same]]] = found[worded[order[:-1][same]]] = True
    return found


def near_pairs_of(text: pl.Series, made: np.ndarray, threshold: float, known: int = 0) -> Pairs:
    """Return pairs that connect the texts whose Jaccard similarity is at least the threshold.

    Args:
        text: The texts.
        made: Their sketches, from ``near_sketches`` with the same threshold.
        threshold: The least similarity, in (0, 1].
        known: How many texts, the first ones, are never compared with each other; a later text is connected with one
            of them at most.
    """
    if len(text) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    from curate.algorithms.near_duplicates.near_pairs import PairSearch, near_pairs
    from curate.algorithms.near_duplicates.pair_comparison import TextColumn

    worded = np.flatnonzero(made[:, -CONTENT:].any(axis=1))
    search = PairSearch(TextColumn(text), worded, int((worded < known).sum()), GRAMS, threshold, connected=True)
    left, right, _ = near_pairs(search, made)
    return worded[left], worded[right]
