"""Compare candidate pairs of texts in full, and keep those whose Jaccard similarity reaches the threshold.

A pair of rows is packed into one number, ``left << 32 | right`` with ``left < right`` (uint64), so that pairs sort and
compare fast. Rows are numbered in order of priority.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import polars as pl

from curate.algorithms.text.shingles import Grams, jaccard, sizes_of

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


class Texts(Protocol):
    """Texts that are compared, by number: wherever they are, and whoever compares them."""

    def gather(self, rows: np.ndarray) -> pl.Series:
        """Return some of the texts."""
        ...

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return how many bytes some of the texts have."""
        ...

    def jaccard(self, left: np.ndarray, right: np.ndarray, grams: Grams, threshold: float = 0.0) -> np.ndarray:
        """Return the similarities of the texts ``left[i]`` and ``right[i]`` (``shingles.jaccard``)."""
        ...


@dataclass(frozen=True)
class TextColumn:
    """Texts in a column, compared in this process."""

    text: pl.Series

    def gather(self, rows: np.ndarray) -> pl.Series:
        """Return some of the texts."""
        return self.text.gather(rows)

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return how many bytes some of the texts have."""
        return sizes_of(self.text, rows)

    def jaccard(self, left: np.ndarray, right: np.ndarray, grams: Grams, threshold: float = 0.0) -> np.ndarray:
        """Return the similarities of the texts ``left[i]`` and ``right[i]``."""
        return jaccard(self.text, left, right, grams, threshold)


class PairSearch(NamedTuple):
    """The texts to search for near-duplicates, and which pairs are needed.

    Attributes:
        text: The texts.
        text_row: For each row (in order of priority), the index of its text in ``text``.
        known: How many rows, the first ones, belong to other data. Two known rows are never a pair.
        grams: The n-grams to compare.
        threshold: The least Jaccard similarity of a near pair, in (0, 1].
        connected: If true, find enough pairs to get the connected components. If false, enough pairs to decide which
            rows stay where each row near to a kept row before it is dropped.
    """

    text: Texts
    text_row: np.ndarray
    known: int
    grams: Grams
    threshold: float
    connected: bool


class NearPairs(NamedTuple):
    """Pairs within the threshold (uint64), and their Jaccard similarities (float64)."""

    pairs: np.ndarray
    similarity: np.ndarray


def compare_pairs(search: PairSearch, pairs: np.ndarray) -> NearPairs:
    """Return those of the sorted ``pairs`` that are within the threshold, with their similarities."""
    left, right = (pairs >> HALF).astype(np.int64), (pairs & LOW).astype(np.int64)
    # Order the pairs so that those of one cluster are adjacent and its n-grams are made once: sort by the first row
    # that each left row is paired with.
    first = np.arange(len(search.text_row), dtype=np.uint32)
    first[right[::-1]] = left[::-1]
    by = np.argsort(first[left], kind="stable")
    text_left, text_right = (search.text_row[rows[by]].astype(np.int64) for rows in (left, right))
    similarity = search.text.jaccard(text_left, text_right, search.grams, search.threshold)
    near = similarity > 0
    return NearPairs(pairs[by[near]], similarity[near])


def component_labels(search: PairSearch, found: list[NearPairs]) -> np.ndarray:
    """Return a label for each row (int32): two rows with the same label need not be compared.

    Known rows share a label. If ``search.connected``, so do all rows of a connected component of the pairs ``found``.
    """
    from curate.algorithms.near_duplicates.band_loops import merge_labels

    label = np.arange(len(search.text_row), dtype=np.int32)
    label[: search.known] = 0
    if search.connected:
        for near in found:
            merge_labels(label, near.pairs)
    return label


def pack_pairs(search: PairSearch, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the pairs (``one[i]``, ``other[i]``) packed, sorted and distinct, without those of two known rows."""
    left, right = np.minimum(one, other), np.maximum(one, other)
    use = right >= search.known
    return np.unique(left[use].astype(np.uint64) << HALF | right[use].astype(np.uint64))
