"""Put rows into buckets by their rarest n-grams, so that every pair within the threshold shares a bucket.

The prefix filter of set similarity joins (Chaudhuri et al. 2006; Bayardo et al. 2007, All-Pairs), with the bound on
sizes by an n-gram's position (Xiao et al. 2008, PPJoin):

1. Put all n-grams in one order, the rarest first, and sort each row's n-grams by it.
2. Two sets of sizes a and b with a Jaccard similarity of at least t share at least ``t / (1 + t) * (a + b)`` n-grams.
   The first shared one, in that order, must come early enough in both sets that as many can follow. So it is enough to
   put each row into the buckets of its first n-grams, its prefix.
3. The position of an n-gram in a set of size a limits how many shared n-grams can follow, and so the size b of any near
   set that shares it as the first: ``size_bound``. A near set has at least ``t * a`` n-grams, which ends the prefix.
"""

from threading import Lock

import numpy as np

from curate.algorithms.near_duplicates.bucket_entries import BucketEntries, drop_without_partner, run_starts
from curate.algorithms.near_duplicates.pair_comparison import PairSearch
from curate.algorithms.parallel import each
from curate.algorithms.text.shingles import blocks, gram_sets

COUNTERS = 1 << 22  # counters of n-gram frequency; n-grams whose hashes share one are counted together


def prefix_buckets(search: PairSearch, rows: np.ndarray) -> BucketEntries:
    """Return a bucket for each n-gram of a prefix that two or more of the ``rows`` share.

    Any two of the rows within the threshold share a bucket in which ``sizes_fit`` holds for them.
    """
    cuts = blocks(search.text.sizes(search.text_row[rows]))
    counts, lock = np.zeros(COUNTERS, np.uint32), Lock()

    def sets(number: int) -> tuple[np.ndarray, np.ndarray]:
        low, high = cuts[number]
        return gram_sets(search.text.gather(search.text_row[rows[low:high]]), search.grams)[:2]

    def count(number: int) -> None:
        counters, times = np.unique(sets(number)[0] & np.uint64(COUNTERS - 1), return_counts=True)
        with lock:
            counts[counters] += times.astype(np.uint32)

    def prefixes(number: int) -> tuple[np.ndarray, ...]:
        grams, starts = sets(number)
        owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        frequency = counts[grams & np.uint64(COUNTERS - 1)]
        by = np.lexsort((grams, frequency, owner))
        size = np.diff(starts)[owner]
        remaining = size - (np.arange(len(grams)) - starts[owner])  # n-grams of the row from this one on
        bound = np.floor(remaining * (1 + search.threshold) / search.threshold - size + 1e-6)
        use = (bound >= search.threshold * size - 1e-6) & (frequency[by] > 1)
        row = rows[cuts[number][0] + owner[use]]
        return grams[by[use]], *(part.astype(np.int32) for part in (row, size[use], bound[use]))

    each(count, range(len(cuts)))
    grams, row, size, bound = (np.concatenate(part) for part in zip(*each(prefixes, range(len(cuts))), strict=True))
    by = np.lexsort((row, grams))
    bucket = np.cumsum(run_starts(grams[by]), dtype=np.int32) - 1
    by = by[several := (np.bincount(bucket) > 1)[bucket]]
    return drop_without_partner(BucketEntries(bucket[several], row[by], size[by], bound[by]))
