"""Keep each row, in order of priority, that is near no row kept before it: the greedy rule of dedup and of DEITA.

Small tables are compared in full, by blocked matrix products of the rows with the kept ones. In large tables a row is
compared only with kept rows that share a bucket of ``hyperplanes`` with it. The buckets hold kept rows alone, so that
nearly equal rows, however many, cost one comparison each. Either way the true cosine of two vectors decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from curate.algorithms.how_far import how_far
from curate.algorithms.parallel import in_blocks
from curate.algorithms.vectors.hyperplanes import BandPlan, plan_bands, share_bucket
from curate.algorithms.vectors.places import Buckets, Decisions, Places, SignBits

BLOCK = 1 << 10  # places compared in full in one product
CHUNK = 1 << 13  # places looked up in the buckets before the next are put there
PART = 1 << 9  # places that a thread looks up, or hashes, at a time
MEASURED, NEIGHBOURS = 500, 64  # rows compared with all to measure recall, and neighbours of one counted at most


# Takes the places, the most to keep, the buckets and the decisions to fill in; returns the place after the last one
# decided, and the sign bits of each place (uint64).
InBuckets = Callable[[Places, int, BandPlan, Decisions], tuple[int, np.ndarray]]


class Banded(NamedTuple):
    """The layout of the buckets, and the sign bits of each place (uint64)."""

    plan: BandPlan
    bits: np.ndarray

    def sign_bits(self) -> SignBits:
        """Return the bits as compiled loops take them."""
        return SignBits(self.bits, self.plan.size, self.plan.cutoff)


@dataclass(frozen=True)
class Filtered:
    """The decisions about the places (rows in order of priority) up to ``end``; the others were not looked at.

    Attributes:
        kept: Whether each place is kept (Boolean).
        nearest: The nearest kept place before each place, within the threshold (int64; -1 for kept places).
        cosine: The true cosine to it (float64).
        end: The place after the last one decided.
        banded: What was compared by; None where all rows were compared in full.
    """

    kept: np.ndarray
    nearest: np.ndarray
    cosine: np.ndarray
    end: int
    banded: Banded | None = None


def keep_dissimilar(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    sample: np.ndarray,
    *,
    threshold: float,
    recall: float,
    exact_below: int,
    seed: int,
    limit: int | None = None,
    in_buckets: InBuckets | None = None,
) -> Filtered:
    """Keep, of ``rows`` in this order, those whose cosine to every one kept before is below ``threshold``.

    Args:
        vectors: Unit vectors of all rows (float32, read-only; may lie on disk).
        rows: The row numbers to decide on, in order of priority.
        known: How many of them, from the first on, are kept in any case.
        sample: Vectors of some of the rows, from which the buckets are planned (``row_hashes.content_sample``).
        threshold: The cosine from which two rows are near.
        recall: The share of the pairs exactly at the threshold that is to be found.
        exact_below: Fewer rows than this are compared in full.
        seed: The seed of the hyperplanes.
        limit: Stop when so many rows are kept.
        in_buckets: What decides by buckets, in place of the loops of this process.
    """
    count = len(rows)
    limit = count if limit is None else limit
    places = Places(vectors, rows, known, float(threshold))
    decisions = Decisions(np.zeros(count, bool), np.full(count, -1, np.int64), np.zeros(count))
    if not count or not limit:
        return Filtered(*decisions, 0)
    found = None if count < exact_below else plan_bands(sample, count, limit, threshold, recall, seed)
    if found is None:
        return Filtered(*decisions, _compare_in_full(places, limit, decisions))
    end, bits = (in_buckets or _compare_in_buckets)(places, limit, found, decisions)
    return Filtered(*decisions, end, Banded(found, bits))


def measured_recall(
    vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, filtered: Filtered, seed: int
) -> str:
    """Compare some of the places with all in full; return a line on the share of near pairs that the buckets find.

    The line is ``exact`` where there are no buckets.
    """
    if filtered.banded is None:
        return "exact"
    plan, bits = filtered.banded
    chosen = np.sort(np.random.default_rng(seed).permutation(filtered.end)[:MEASURED])
    left, right = [], []
    seen = np.zeros(len(chosen), np.int64)
    probes = vectors[rows[chosen]].T
    for low in range(0, filtered.end, BLOCK * 4):
        high = min(low + BLOCK * 4, filtered.end)
        place, probe = np.nonzero(vectors[rows[low:high]] @ probes >= threshold)
        place += low
        other = (place != chosen[probe]) & ((place >= known) | (chosen[probe] >= known)) & (seen[probe] < NEIGHBOURS)
        left.append(place[other])
        right.append(chosen[probe[other]])
        seen += np.bincount(probe[other], minlength=len(chosen))
    left, right = np.concatenate(left), np.concatenate(right)
    if not len(left):
        return f"recall of {plan.recall:.3f} expected; {len(chosen)} rows measured have no neighbour"
    found = [
        share_bucket(bits, left[low : low + 4096], right[low : low + 4096], plan) for low in range(0, len(left), 4096)
    ]
    share = np.mean(np.concatenate(found))
    return f"recall {share:.3f} measured on the {len(left)} neighbours of {len(chosen)} rows"


def _compare_in_full(places: Places, limit: int, decisions: Decisions) -> int:
    """Decide places in blocks, each compared with all kept before; return the place after the last one decided."""
    from curate.algorithms.vectors.near_pair_loops import compare_with_kept, decide_block

    vectors, rows, known = places.vectors, places.rows, places.known
    low, left = 0, limit
    how_far(0, len(rows))
    while low < len(rows) and left:
        high = min(low + BLOCK, known) if low < known else min(low + BLOCK, len(rows))
        if high <= known:
            decisions.kept[low:high] = True
            left -= high - low  # (known rows count, where there is a limit)
            low = high
            continue
        block = vectors[rows[low:high]]
        kept = np.flatnonzero(decisions.kept[:low])
        for first in range(0, len(kept), BLOCK * 4):
            some = kept[first : first + BLOCK * 4]
            compare_with_kept(block @ vectors[rows[some]].T, places, low, some, decisions)
        low, count = decide_block(block @ block.T, places, low, left, decisions)
        left -= count
        how_far(low, len(rows))
    return low


def _compare_in_buckets(places: Places, limit: int, plan: BandPlan, decisions: Decisions) -> tuple[int, np.ndarray]:
    """Decide places in chunks, each looked up in buckets of all kept before; return the end and the sign bits."""
    from curate.algorithms.vectors.hyperplane_loops import decide_chunk, look_up, signs

    count = len(places.rows)
    turns, _, width = plan.flips.shape
    bits = SignBits(np.empty((count, turns * width // 64), np.uint64), plan.size, plan.cutoff)
    buckets = Buckets(np.zeros((plan.bands, 1 << plan.size), np.int32), np.empty((count, plan.bands), np.int32))
    low, left = 0, limit
    how_far(0, count)
    while low < count and left:
        high = min(low + CHUNK, count)

        def prepare(start: int, end: int, low: int = low) -> None:
            signs(places.vectors, places.rows, plan.centre, plan.flips, low + start, low + end, bits.words)
            look_up(places, bits, buckets, max(low + start, places.known), low + end, decisions)

        in_blocks(high - low, PART, prepare)
        low, kept = decide_chunk(places, bits, buckets, low, high, left, decisions)
        left -= kept
        how_far(low, count)
    return low, bits.words
