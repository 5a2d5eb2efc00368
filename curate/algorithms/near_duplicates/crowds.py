"""Buckets of very many rows (clusters, boilerplate), whose pairs would be without end.

The first rows of each are compared with the others, and what is thereby settled leaves. Where that does not help
enough, the rows are put into buckets by their rarest n-grams in place of those by sketch, which loses no near pair.

Chaudhuri et al. 2006, Bayardo et al. 2007 and Xiao et al. 2008 (the prefix filter, and the bound by an n-gram's place).
"""

from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple

import numpy as np

from curate.algorithms.near_duplicates.compared import HALF, Job, Near, compare, labels, pack
from curate.algorithms.parallel import each
from curate.algorithms.text.shingles import blocks, gram_sets

COUNTERS = 1 << 22  # for how often n-grams occur; those that share one are taken together
KEPT, DROPPED = 1, 2  # of ``settle``


class Crowd(NamedTuple):
    """Rows in large buckets, by ``bucket``, then ``row``. No ``size`` in a pair is above the other's ``bound``."""

    bucket: np.ndarray
    row: np.ndarray
    size: np.ndarray
    bound: np.ndarray


def thin(job: Job, crowd: Crowd, found: list[Near], most: int) -> Crowd:
    """Settle rows of crowded buckets until few pairs are left there; adds to the near pairs ``found``."""
    left, leaders, split = count(crowd, labels(job, found)), 1, False
    while left > most:
        crowd = _lead(job, crowd, found, min(leaders, max(1, 2 * most // len(crowd.row))))
        before, left = left, count(crowd, labels(job, found))
        if 2 * left > max(before, 2 * most):
            if split:
                leaders *= 2
            else:
                crowd, split = by_rare_grams(job, np.unique(crowd.row)), True
                left = count(crowd, labels(job, found))
    return crowd


def _lead(job: Job, crowd: Crowd, found: list[Near], leaders: int) -> Crowd:
    """Compare the first rows of each bucket (one alone only if it stays) with the others; take out what is settled."""
    from curate.algorithms.near_duplicates.band_loops import settle

    stays = np.ones(len(job.line), np.uint8)
    if not job.connected:  # what comes after a row of which it is not known whether it stays is not known either
        stays[crowd.row[~_starts(crowd.bucket)]] = 0
        near = np.concatenate([pairs for pairs, _ in found])
        settle(np.sort(near << HALF | near >> HALF), job.known, stays)
        crowd = Crowd(*(part[stays[crowd.row] != DROPPED] for part in crowd))
    starts, side = _starts(crowd.bucket), _side(crowd, labels(job, found))
    begin = np.flatnonzero(starts).astype(np.int32)[np.cumsum(starts, dtype=np.int32) - 1]
    place = np.arange(len(begin), dtype=np.int32) - begin
    times = np.minimum(place, np.int32(leaders))
    settled = stays[crowd.row] == KEPT if leaders == 1 else np.ones(len(begin), bool)
    times *= settled[begin]
    entry = np.repeat(np.arange(len(begin), dtype=np.int32), times)
    offset = (np.cumsum(times) - times - begin).astype(np.int32)
    first = np.arange(len(entry), dtype=np.int32) - np.repeat(offset, times)
    use = (side[first] != side[entry]) & _fit(crowd, first, entry)
    found.append(compare(job, pack(job, crowd.row[first[use]], crowd.row[entry[use]])))
    return _hopeful(Crowd(*(part[(place >= leaders) | ~settled] for part in crowd)))


def _fit(crowd: Crowd, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (crowd.size[one] <= crowd.bound[other]) & (crowd.size[other] <= crowd.bound[one])


def _hopeful(crowd: Crowd) -> Crowd:
    """Leave out entries for which all the others of their buckets are too large."""
    starts = np.flatnonzero(_starts(crowd.bucket))
    if not len(starts):
        return crowd
    smallest = np.repeat(np.minimum.reduceat(crowd.size, starts), np.diff(np.append(starts, len(crowd.row))))
    return Crowd(*(part[crowd.bound >= smallest] for part in crowd))


def _side(crowd: Crowd, label: np.ndarray) -> np.ndarray:
    """The label of each entry; -1 for those that are alone and the larger of any pair."""
    label = label[crowd.row]
    return np.where((crowd.bound >= crowd.size) | (label != crowd.row), label, np.int32(-1))


def count(crowd: Crowd, label: np.ndarray) -> int:
    """How many pairs the buckets hold."""
    entries = np.sort(_entries(crowd, label))
    return int(_after(entries)[1].sum())


def cross(job: Job, crowd: Crowd, label: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """The pairs of rows of different sides of each bucket, about ``most`` at a time."""
    by = np.argsort(entries := _entries(crowd, label), kind="stable")
    begin, size = _after(entries[by])
    work, low = np.cumsum(size), 0
    while low < len(by):
        done = int(work[low - 1]) if low else 0
        high = max(low + 1, int(np.searchsorted(work, done + most)))
        one = np.repeat(np.arange(low, high), size[low:high])
        place = np.arange(len(one)) - np.repeat(work[low:high] - size[low:high] - done, size[low:high])
        one, other = by[one], by[begin[one] + place]
        use = _fit(crowd, one, other)
        yield pack(job, crowd.row[one[use]], crowd.row[other[use]])
        low = high


def _entries(crowd: Crowd, label: np.ndarray) -> np.ndarray:
    """Bucket and side of each entry as one number."""
    return crowd.bucket.astype(np.uint64) << HALF | (_side(crowd, label) + np.int64(1)).astype(np.uint64)


def _after(entries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For each of sorted ``_entries`` where the entries of other sides begin that come after it, and how many."""
    news = _starts(entries), _starts(entries >> HALF)
    side, bucket = (np.append(np.flatnonzero(new), len(new))[np.cumsum(new)] for new in news)
    return side, bucket - side


def _starts(values: np.ndarray) -> np.ndarray:
    """Where a new value begins."""
    return np.concatenate((np.ones(min(1, len(values)), bool), values[1:] != values[:-1]))


def by_rare_grams(job: Job, rows: np.ndarray) -> Crowd:
    """Put rows into a bucket for each of their rarest n-grams, so that any two within the threshold t share one.

    Two sets within t have ``t / (1 + t)`` of their sizes' sum in common. All n-grams put in one order (rarest first),
    what they have in common comes at the first such n-gram or after it. What of a set comes there bounds the size of
    the other, which is at least t times its own.
    """
    cuts = blocks(job.text.str.len_bytes().gather(job.line[rows]).fill_null(0).to_numpy())
    counts, lock = np.zeros(COUNTERS, np.uint32), Lock()

    def sets(number: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = cuts[number]
        return gram_sets(job.text.gather(job.line[rows[low:high]]), job.grams)

    def count(number: int) -> None:
        times = np.unique(sets(number)[0] & np.uint64(COUNTERS - 1), return_counts=True)
        with lock:
            counts[times[0]] += times[1].astype(np.uint32)

    def rarest(number: int) -> tuple[np.ndarray, ...]:
        grams, places = sets(number)
        owner = np.repeat(np.arange(len(places) - 1), np.diff(places))
        often = counts[grams & np.uint64(COUNTERS - 1)]
        by = np.lexsort((grams, often, owner))
        size = np.diff(places)[owner]
        rest = size - (np.arange(len(grams)) - places[owner])
        bound = np.floor(rest * (1 + job.threshold) / job.threshold - size + 1e-6)
        use = (bound >= job.threshold * size - 1e-6) & (often[by] > 1)
        row = rows[cuts[number][0] + owner[use]]
        return grams[by[use]], *(part.astype(np.int32) for part in (row, size[use], bound[use]))

    each(count, range(len(cuts)))
    grams, row, size, bound = (np.concatenate(part) for part in zip(*each(rarest, range(len(cuts))), strict=True))
    by = np.lexsort((row, grams))
    bucket = np.cumsum(_starts(grams[by]), dtype=np.int32) - 1
    by = by[several := (np.bincount(bucket) > 1)[bucket]]
    return _hopeful(Crowd(bucket[several], row[by], size[by], bound[by]))
