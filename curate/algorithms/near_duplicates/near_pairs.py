"""Find the pairs of texts whose n-gram sets have a Jaccard similarity of at least a threshold.

MinHash with banding (Broder 1997; Indyk and Motwani 1998): each text has a sketch of some keys, one a band, and two
texts are a candidate pair if they share a key. Rows that share a key are a bucket. Every candidate pair is then
compared in full, by its n-gram sets.

Buckets of at most ``crowded`` rows are turned into pairs. Larger ones are reduced first (``large_buckets``), if their
pairs are too many. Bands are processed one after another, each by ranges of its keys on all cores, so that on any
number of them one band is in memory: 12 bytes a row.
"""

from functools import partial
from itertools import pairwise

import numpy as np

from curate.algorithms.how_far import how_far
from curate.algorithms.near_duplicates.bucket_entries import BucketEntries, count_pairs, list_pairs
from curate.algorithms.near_duplicates.large_buckets import reduce_pairs
from curate.algorithms.near_duplicates.pair_comparison import (
    HALF,
    LOW,
    NearPairs,
    PairSearch,
    compare_pairs,
    component_labels,
)
from curate.algorithms.parallel import each
from curate.algorithms.text.shingles import CONTENT

FEW = 50_000  # rows: fewer are sorted in less time than threads take to start
CROWDED = 32  # rows in the largest bucket that is turned into pairs at once
PAIRS = 4_000_000  # pairs of large buckets that are compared without reducing them first, and at a time


def near_pairs(
    search: PairSearch, keys: np.ndarray, crowded: int = CROWDED, most: int = PAIRS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find near pairs, as many as ``search.connected`` needs.

    Args:
        search: The texts, with rows numbered in order of priority.
        keys: The sketches of ``search.text`` (``shingles.sketches``), a row a text.
        crowded: The size from which on a bucket is large.
        most: How many pairs of large buckets are compared without reducing their number first. Like ``crowded`` it
            trades time for memory; neither changes which rows stay or which are connected.

    Returns:
        The left and right rows (int64, ``left < right``) and the similarities of the pairs; a pair may come twice.
    """
    return pairs_among(search, *_candidate_pairs(search, keys, crowded), most)


def pairs_among(
    search: PairSearch, pairs: np.ndarray, large: BucketEntries, most: int = PAIRS
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find near pairs among candidates, as ``near_pairs`` does.

    Args:
        search: The texts.
        pairs: The distinct pairs of the buckets that are not large (packed, sorted), but for those that share a large
            bucket of an earlier band.
        large: The large buckets, in the order of their bands.
        most: As in ``near_pairs``.
    """
    label = component_labels(search, [])
    if count_pairs(large, label) <= most:
        found = _compare_in_rounds(search, np.unique(np.concatenate([pairs, *list_pairs(search, large, label, most)])))
    else:
        found = [compare_pairs(search, pairs)]
        large = reduce_pairs(search, large, found, most)
        label = component_labels(search, found)
        found += [compare_pairs(search, block) for block in list_pairs(search, large, label, most)]
    near = np.concatenate([part.pairs for part in found])
    similarity = np.concatenate([part.similarity for part in found])
    return (near >> HALF).astype(np.int64), (near & LOW).astype(np.int64), similarity


def _candidate_pairs(search: PairSearch, keys: np.ndarray, crowded: int) -> tuple[np.ndarray, BucketEntries]:
    """The distinct pairs of the buckets up to ``crowded`` rows (packed, sorted), and the larger buckets."""
    from curate.algorithms.near_duplicates.band_loops import bucket_pairs, by_key_range, find_buckets

    def buckets(band: int, packed: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        packed.sort()
        small, large, count = find_buckets(packed, crowded)
        out = np.empty(count, np.uint64)
        out = out[: bucket_pairs(packed, small, keys, search.text_row, band, search.known, out)].copy()
        return out, [(packed[low:high] & LOW).astype(np.int32) for low, high in large]

    count, results = keys.shape[1] - CONTENT, []
    packed = np.empty(len(search.text_row), np.uint64)
    for band in range(count):
        how_far(len(packed) * band // count, len(packed))
        ends = by_key_range(keys[:, band][search.text_row], packed)
        ends = ends.tolist() if len(packed) >= FEW else [len(packed)]
        ranges = [packed[low:high] for low, high in pairwise([0, *ends])]
        results += each(partial(buckets, band), ranges)
    how_far(len(packed), len(packed))
    del packed, ranges
    large = [rows for _, band in results for rows in band]
    row = np.concatenate([np.zeros(0, np.int32), *large])
    bucket = np.repeat(np.arange(len(large), dtype=np.int32), [len(rows) for rows in large])
    pairs = np.concatenate([out for out, _ in results])
    pairs.sort()
    return pairs, BucketEntries(bucket, row, *np.zeros((2, 1), np.int32).repeat(len(row), 1))


def _compare_in_rounds(search: PairSearch, pairs: np.ndarray) -> list[NearPairs]:
    """Compare pairs in rounds, and leave out those that an earlier round makes needless.

    A round compares the pairs whose left row is no pair's right row. The near pairs that it finds drop rows, or
    connect them, so that later pairs of these rows need no comparison. When a round spares less than half of the rest,
    all of it is compared at once.
    """
    found = []
    while len(pairs):
        first = np.ones(len(search.text_row), bool)
        first[pairs & LOW] = False
        first[: search.known] = True
        lead = first[pairs >> HALF]
        found.append(compare_pairs(search, pairs[lead]))
        before, pairs = len(pairs), pairs[~lead]
        if search.connected:
            label = component_labels(search, found)
            pairs = pairs[label[pairs >> HALF] != label[pairs & LOW]]
        else:
            dropped = np.zeros(len(search.text_row), bool)
            dropped[found[-1].pairs & LOW] = True
            pairs = pairs[~(dropped[pairs >> HALF] | dropped[pairs & LOW])]
        if 2 * len(pairs) > before:
            break
    return [*found, compare_pairs(search, pairs)]
