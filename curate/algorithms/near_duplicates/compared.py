"""Pairs of rows as single numbers (``left << 32 | right``, ``left`` before ``right``), and which of them are near."""

from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.text.shingles import Grams, jaccard

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


class Job(NamedTuple):
    """What is to be compared: ``line[row]`` is a row's place in ``text``. Pairs of the ``known`` first do not count.

    Where ``connected``, pairs are found that connect the rows that all pairs would; otherwise those that decide which
    rows stay where each is dropped that is near to one before it that stays.
    """

    text: pl.Series
    line: np.ndarray
    known: int
    grams: Grams
    threshold: float
    connected: bool


class Near(NamedTuple):
    """Pairs within the threshold, and their Jaccard similarities."""

    pairs: np.ndarray
    similarity: np.ndarray


def compare(job: Job, pairs: np.ndarray) -> Near:
    """Those of sorted pairs that are within the threshold, and their similarities."""
    left, right = (pairs >> HALF).astype(np.int64), (pairs & LOW).astype(np.int64)
    # Rows of a cluster stand together, so that their n-grams are made once: by the first row that any is paired with
    first = np.arange(len(job.line))
    first[right[::-1]] = left[::-1]
    by = np.argsort(first[left], kind="stable")
    value = jaccard(job.text, job.line[left[by]], job.line[right[by]], job.grams, job.threshold)
    near = value > 0
    return Near(pairs[by[near]], value[near])


def labels(job: Job, found: list[Near]) -> np.ndarray:
    """A number a row, such that rows of one number are no longer of interest to one another."""
    from curate.algorithms.near_duplicates.band_loops import merge

    label = np.arange(len(job.line), dtype=np.int32)
    label[: job.known] = 0
    if job.connected:
        for near, _ in found:
            merge(label, near)
    return label


def pack(job: Job, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Pairs as single numbers, sorted, each once, and those of two known rows left out."""
    left, right = np.minimum(one, other), np.maximum(one, other)
    use = right >= job.known
    return np.unique(left[use].astype(np.uint64) << HALF | right[use].astype(np.uint64))
