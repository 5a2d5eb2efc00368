"""Lower the number of pairs in buckets of very many rows, until the rest can be compared one by one.

A bucket of n rows has n * (n - 1) / 2 pairs. Buckets grow large for two reasons: a cluster (many copies of one text),
or boilerplate (different texts that share a long passage). ``reduce_pairs`` works in rounds until few pairs are left:

1. Leaders: the first row of each bucket is compared with all others of the bucket, in linear time. In a cluster most
   of the others are near the leader. These are then decided (dropped, or in the leader's component) and need no further
   comparison. The leader leaves the bucket, as all its pairs are compared.
2. Prefix filter: if a round leaves more than half of the pairs, the rows that are left are put into new buckets by
   their rarest n-grams (``prefix_filter``). These replace the old ones: no pair within the threshold is lost.
   Boilerplate is not rare, so texts that share nothing else part.
3. More leaders: if rounds still leave more than half of the pairs, each round compares twice as many leaders a bucket.

Where duplicates are dropped one by one (``connected`` is false), a single leader is compared only if it is certain to
stay: rows near to a leader that is itself dropped may stay. A row near to an undecided row is undecided.
"""

import numpy as np

from curate.algorithms.near_duplicates.bucket_entries import (
    BucketEntries,
    count_pairs,
    drop_without_partner,
    run_starts,
    side_labels,
    sizes_fit,
)
from curate.algorithms.near_duplicates.pair_comparison import (
    HALF,
    NearPairs,
    PairSearch,
    compare_pairs,
    component_labels,
    pack_pairs,
)
from curate.algorithms.near_duplicates.prefix_filter import prefix_buckets

UNDECIDED, KEPT, DROPPED = 0, 1, 2  # the states of a row in ``band_loops.update_states``


def reduce_pairs(search: PairSearch, entries: BucketEntries, found: list[NearPairs], most: int) -> BucketEntries:
    """Decide rows of large buckets until the buckets hold at most ``most`` pairs.

    Args:
        search: The texts and the threshold.
        entries: The large buckets.
        found: The near pairs found so far. Those found here are appended.
        most: The number of pairs at which to stop.

    Returns:
        The entries whose pairs are still to be compared.
    """
    left, leaders, by_prefix = count_pairs(entries, component_labels(search, found)), 1, False
    while left > most:
        entries = _compare_leaders(search, entries, found, min(leaders, max(1, 2 * most // len(entries.row))))
        before, left = left, count_pairs(entries, component_labels(search, found))
        if 2 * left > max(before, 2 * most):
            if by_prefix:
                leaders *= 2
            else:
                entries, by_prefix = prefix_buckets(search, np.unique(entries.row)), True
                left = count_pairs(entries, component_labels(search, found))
    return entries


def _compare_leaders(search: PairSearch, entries: BucketEntries, found: list[NearPairs], leaders: int) -> BucketEntries:
    """Compare the first ``leaders`` rows of each bucket with the later ones; return the entries without the leaders.

    A single leader is compared only if it is certain to stay. Rows that are already dropped are left out.
    """
    state = np.full(len(search.text_row), KEPT, np.uint8)
    if not search.connected:
        state = _row_states(search, entries, found)
        entries = entries.select(state[entries.row] != DROPPED)
    starts, side = run_starts(entries.bucket), side_labels(entries, component_labels(search, found))
    begin = np.flatnonzero(starts).astype(np.int32)[np.cumsum(starts, dtype=np.int32) - 1]  # of each entry's bucket
    place = np.arange(len(begin), dtype=np.int32) - begin
    has_leader = (state[entries.row] == KEPT if leaders == 1 else np.ones(len(begin), bool))[begin]
    partners = np.minimum(place, np.int32(leaders)) * has_leader  # the leaders that each entry is compared with
    entry = np.repeat(np.arange(len(begin), dtype=np.int32), partners)
    offset = (np.cumsum(partners) - partners - begin).astype(np.int32)
    leader = np.arange(len(entry), dtype=np.int32) - np.repeat(offset, partners)
    use = (side[leader] != side[entry]) & sizes_fit(entries, leader, entry)
    pairs = pack_pairs(search, entries.row[leader[use]], entries.row[entry[use]])
    found.append(compare_pairs(search, pairs))
    return drop_without_partner(entries.select((place >= leaders) | ~has_leader))


def _row_states(search: PairSearch, entries: BucketEntries, found: list[NearPairs]) -> np.ndarray:
    """The state of each row as far as the near pairs found so far decide it (uint8)."""
    from curate.algorithms.near_duplicates.band_loops import update_states

    state = np.full(len(search.text_row), KEPT, np.uint8)
    state[entries.row[~run_starts(entries.bucket)]] = UNDECIDED  # a row before it in the bucket may be near
    near = np.concatenate([part.pairs for part in found])
    update_states(np.sort(near << HALF | near >> HALF), search.known, state)
    return state
