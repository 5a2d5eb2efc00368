"""Pairs of texts whose n-grams have a Jaccard similarity of at least a threshold: found by sketches, decided in full.

Rows that share the key of a band are a bucket, and any two of one bucket are compared. Bands are worked on one on each
core, with one number a row in memory.

Broder 1997 (MinHash); Indyk and Motwani 1998 (bands).
"""

import numpy as np

from curate.algorithms.near_duplicates.compared import HALF, LOW, Job, Near, compare, labels
from curate.algorithms.near_duplicates.crowds import Crowd, count, cross, thin
from curate.algorithms.parallel import each
from curate.algorithms.text.shingles import CONTENT

CROWDED = 32  # rows in a bucket from which on its pairs are not simply made
PAIRS = 4_000_000  # pairs of crowded buckets that are made without further thought, and at a time


def near_pairs(job: Job, keys: np.ndarray, crowded: int = CROWDED, most: int = PAIRS) -> tuple[np.ndarray, ...]:
    """Return (left, right, similarity) of pairs of rows (``left < right``) within the threshold, each once or more.

    ``keys`` are sketches of the lines of ``job.text``. Rows are in order of priority. ``crowded`` and ``most`` trade
    time for memory; they change neither which rows stay nor which are connected.
    """
    pairs, crowd = _candidates(job, keys, crowded)
    if count(crowd, labels(job, [])) <= most:
        found = _in_turn(job, np.unique(np.concatenate([pairs, *cross(job, crowd, labels(job, []), most)])))
    else:
        found = [compare(job, pairs)]
        crowd = thin(job, crowd, found, most)
        found += [compare(job, block) for block in cross(job, crowd, labels(job, found), most)]
    near = np.concatenate([pairs for pairs, _ in found])
    return (near >> HALF).astype(np.int64), (near & LOW).astype(np.int64), np.concatenate([value for _, value in found])


def _candidates(job: Job, keys: np.ndarray, crowded: int) -> tuple[np.ndarray, Crowd]:
    """The pairs (``left << 32 | right``, sorted) of buckets up to ``crowded`` rows, once each, and larger buckets."""
    from curate.algorithms.near_duplicates.band_loops import buckets, pairs_of

    def work(band: int) -> tuple[np.ndarray, list[np.ndarray]]:
        packed = keys[job.line, band].astype(np.uint64)
        packed <<= HALF
        packed |= np.arange(len(packed), dtype=np.uint32)
        packed.sort()
        small, large, count = buckets(packed, crowded)
        out = np.empty(count, np.uint64)
        out = out[: pairs_of(packed, small, keys, job.line, band, job.known, out)].copy()
        return out, [(packed[low:high] & LOW).astype(np.int32) for low, high in large]

    results = each(work, range(keys.shape[1] - CONTENT))
    large = [rows for _, band in results for rows in band]
    row = np.concatenate([np.zeros(0, np.int32), *large])
    bucket = np.repeat(np.arange(len(large), dtype=np.int32), [len(rows) for rows in large])
    pairs = np.concatenate([out for out, _ in results])
    pairs.sort()
    return pairs, Crowd(bucket, row, *np.zeros((2, 1), np.int32).repeat(len(row), 1))


def _in_turn(job: Job, pairs: np.ndarray) -> list[Near]:
    """The near ones of all pairs. Those of rows with none before them come first, and spare what they settle."""
    found = []
    while len(pairs):
        first = np.ones(len(job.line), bool)
        first[pairs & LOW] = False
        first[: job.known] = True
        lead = first[pairs >> HALF]
        found.append(compare(job, pairs[lead]))
        before, pairs = len(pairs), pairs[~lead]
        if job.connected:
            label = labels(job, found)
            pairs = pairs[label[pairs >> HALF] != label[pairs & LOW]]
        else:
            gone = np.zeros(len(job.line), bool)
            gone[found[-1].pairs & LOW] = True
            pairs = pairs[~(gone[pairs >> HALF] | gone[pairs & LOW])]
        if 2 * len(pairs) > before:
            break
    return [*found, compare(job, pairs)]
