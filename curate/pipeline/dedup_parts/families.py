"""Between the phases, in the process that called ``spread``: the rows with an edge by priority, and their pairs.

Only rows that are in a pair, in a large bucket or equal to another one are here. Their order among each other is that
of all rows, so ``near_pairs`` and ``clusters`` do with them what they do with all rows on one machine.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.bucket_entries import BucketEntries
from curate.algorithms.near_duplicates.clusters import Cluster
from curate.algorithms.near_duplicates.pair_comparison import PairSearch
from curate.dedup.minhash import dropped_rows as dropped_of
from curate.dedup.minhash import duplicates
from curate.pipeline.dedup_parts.buckets import LOW
from curate.pipeline.dedup_parts.candidates import HALF, Candidates


@dataclass(frozen=True)
class Families:
    """The rows with an edge, in groups of rows that are equal after levelling.

    Attributes:
        unique: The first row of each group by priority, in order of priority (int64).
        known: How many of these, the first ones, are of other data.
        copies: The other rows of groups that are not of other data (int64).
        first: For each of these, the number of its group's first row in ``unique`` (int64).
        number: For each group, in the order of ``lowest``, the number of its first row in ``unique`` (int64).
        lowest: The lowest row of each group, sorted: the one that the pairs name (uint32).
    """

    unique: np.ndarray
    known: int
    copies: np.ndarray
    first: np.ndarray
    number: np.ndarray
    lowest: np.ndarray


def ranked_rows(candidates: Candidates, copies: np.ndarray) -> np.ndarray:
    """Return the rows whose order of priority matters, sorted (int64): those with an edge.

    Args:
        candidates: The candidates.
        copies: The rows that are equal to one before them (a line each: that first one, the row).
    """
    return np.unique(np.concatenate([candidates.rows, *np.unique(copies).reshape(1, -1)])).astype(np.int64)


def families(
    candidates: Candidates, copies: np.ndarray, ranked: np.ndarray, order: np.ndarray, before: int
) -> Families:
    """Group the rows with an edge.

    Args:
        candidates: The candidates.
        copies: The rows that are equal to one before them (a line each: that first one, the row).
        ranked: The rows that ``ranked_rows`` names.
        order: These in order of priority, as numbers in ``ranked`` (``clusters.priority``).
        before: How many rows, the first ones, are of other data.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    copied = copies[:, 1].astype(np.int64)
    lowest = np.setdiff1d(ranked, copied, assume_unique=True)
    group = np.searchsorted(lowest, copies[:, 0])
    best = place[np.searchsorted(ranked, lowest)]  # of each group: the place of its first row by priority
    np.minimum.at(best, group, place[np.searchsorted(ranked, copied)])
    by = np.argsort(best)
    number = np.empty(len(best), np.int64)
    number[by] = np.arange(len(best))
    unique = ranked[order[best[by]]]
    every, groups = np.concatenate([lowest, copied]), np.concatenate([np.arange(len(lowest)), group])
    rest = (every != unique[number[groups]]) & (every >= before)
    known = int(np.count_nonzero(unique < before))
    return Families(unique, known, every[rest], number[groups[rest]], number, lowest.astype(np.uint32))


def pairs_by_priority(candidates: Candidates, held: Families) -> tuple[np.ndarray, BucketEntries]:
    """Return the candidates by the numbers of groups: the packed pairs, sorted, and the large buckets."""

    def numbers(rows: np.ndarray) -> np.ndarray:
        return held.number[np.searchsorted(held.lowest, rows.astype(np.uint32))]

    left, right = numbers(candidates.pairs >> HALF), numbers(candidates.pairs & LOW)
    pairs = np.minimum(left, right).astype(np.uint64) << HALF | np.maximum(left, right).astype(np.uint64)
    row = numbers(candidates.row).astype(np.int32)
    by = np.lexsort((row, candidates.bucket))
    return np.sort(pairs), BucketEntries(candidates.bucket[by], row[by], *np.zeros((2, len(row)), np.int32))


def dropped_rows(
    search: PairSearch, candidates: Candidates, held: Families, cluster: Cluster, most: int
) -> pl.DataFrame:
    """Return the rows that are dropped (``minhash.dropped_rows``), in order.

    Args:
        search: The texts of ``held.unique``.
        candidates: The candidates.
        held: The rows with an edge.
        cluster: The definition of a cluster.
        most: As in ``near_pairs``.
    """
    from curate.algorithms.near_duplicates.near_pairs import pairs_among

    near = pairs_among(search, *pairs_by_priority(candidates, held), most)
    found = duplicates(search, near, cluster)
    return dropped_of(held.unique, found, held.copies, held.first).sort("row")
