"""Going down rows in order, keep each that is not near one kept before: the greedy rule of duplicates and of DEITA.

Small tables are compared in full, by blocked matrix products of the rows with the kept ones; in large ones only the
rows that meet in a bucket of ``hyperplanes``, which hold kept rows alone. So nearly equal rows, however many,
find one kept row each. Either way the cosine that decides is the true one of two vectors.
"""

from dataclasses import dataclass

import numpy as np

from curate.algorithms.parallel import in_blocks
from curate.algorithms.vectors.hyperplanes import SAMPLE, Plan, meets, plan

BLOCK = 1 << 10  # places compared in full in one product
CHUNK = 1 << 13  # places looked up in the buckets before the next are put there
PART = 1 << 9  # places that a thread looks up, or hashes, at a time
MEASURED, NEIGHBOURS = 500, 64  # rows compared with all to measure recall, and neighbours of one counted at most


@dataclass(frozen=True)
class Settled:
    """What became of the places (rows in order) up to ``end``: the others were not looked at.

    ``stays``: Boolean. ``near``: the nearest place that stayed before it, within the threshold (int64, -1 where it
    stays itself); ``value``: the cosine to it. ``bits``: those of the buckets, by ``plan``; both None where all were
    compared.
    """

    stays: np.ndarray
    near: np.ndarray
    value: np.ndarray
    end: int
    plan: Plan | None = None
    bits: np.ndarray | None = None


def far_enough(
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
) -> Settled:
    """Keep, of ``rows`` in this order, those whose cosine to every one kept before is below ``threshold``.

    ``vectors`` are unit vectors (float32, read-only, maybe on disk), ``rows`` numbers of those to decide on. The first
    ``known`` of them stay in any case. ``sample`` are some of the vectors, ``recall`` the share wanted of the pairs at
    the threshold; fewer than ``exact_below`` rows are compared in full. Stops when ``limit`` rows stay.
    """
    count = len(rows)
    state = np.zeros(count, bool), np.full(count, -1, np.int64), np.zeros(count)
    limit = count if limit is None else limit
    if not count or not limit:
        return Settled(*state, 0)
    found = None if count < exact_below else plan(sample, count, limit, threshold, recall, seed)
    if found is None:
        return Settled(*state, _compared(vectors, rows, known, threshold, limit, *state))
    end, bits = _bucketed(vectors, rows, known, threshold, limit, found, *state)
    return Settled(*state, end, found, bits)


def content_sample(vectors: np.ndarray, rows: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """The vectors of ``SAMPLE`` of the rows, chosen and put in order by what is in them (their ``fingerprints``)."""
    if len(rows) > SAMPLE:
        rows = rows[np.argpartition(hashes[rows], SAMPLE - 1)[:SAMPLE]]
    return vectors[rows[np.argsort(hashes[rows], kind="stable")]]


def fingerprints(vectors: np.ndarray, seed: int) -> np.ndarray:
    """A hash of every row of vectors (uint64), the same for rows that are the same in every bit."""
    from curate.algorithms.vectors.sign_loops import fingerprints as fill

    factors = np.random.default_rng(seed).integers(0, 1 << 63, vectors.shape[1], np.uint64) * np.uint64(2)
    words, out = vectors.view(np.uint32), np.empty(len(vectors), np.uint64)
    factors += np.uint64(1)
    in_blocks(len(words), 1 << 14, lambda low, high: fill(words[low:high], factors, out[low:high]))
    return out


def true_cosines(vectors: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The cosines (float64) of pairs of rows of vectors."""
    from curate.algorithms.vectors.vector_loops import cosines

    out = np.empty(len(left))
    in_blocks(len(left), 1 << 14, lambda low, high: cosines(vectors, left[low:high], right[low:high], out[low:high]))
    return out


def measured_recall(
    vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, settled: Settled, seed: int
) -> str:
    """Compare some of the places with all in full, and say what share of the pairs within the threshold is found."""
    chosen = np.sort(np.random.default_rng(seed).permutation(settled.end)[:MEASURED])
    left, right = [], []
    seen = np.zeros(len(chosen), np.int64)
    probes = vectors[rows[chosen]].T
    for low in range(0, settled.end, BLOCK * 4):
        high = min(low + BLOCK * 4, settled.end)
        place, probe = np.nonzero(vectors[rows[low:high]] @ probes >= threshold)
        place += low
        other = (place != chosen[probe]) & ((place >= known) | (chosen[probe] >= known)) & (seen[probe] < NEIGHBOURS)
        left.append(place[other])
        right.append(chosen[probe[other]])
        seen += np.bincount(probe[other], minlength=len(chosen))
    left, right = np.concatenate(left), np.concatenate(right)
    if not len(left):
        return f"recall of {settled.plan.recall:.3f} expected; {len(chosen)} rows measured have no neighbour"
    share = np.mean(
        np.concatenate(
            [
                meets(settled.bits, left[low : low + 4096], right[low : low + 4096], settled.plan)
                for low in range(0, len(left), 4096)
            ]
        )
    )
    return f"recall {share:.3f} measured on the {len(left)} neighbours of {len(chosen)} rows"


def _compared(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    threshold: float,
    limit: int,
    stays: np.ndarray,
    near: np.ndarray,
    value: np.ndarray,
) -> int:
    """Settle places in blocks, each compared with all that stayed before; returns the place after the last settled."""
    from curate.algorithms.vectors.vector_loops import confirm

    low, left = 0, limit
    while low < len(rows) and left:
        high = min(low + BLOCK, known) if low < known else min(low + BLOCK, len(rows))
        if high <= known:
            stays[low:high] = True
            left -= high - low  # (known rows count, where there is a limit)
            low = high
            continue
        block = vectors[rows[low:high]]
        kept = np.flatnonzero(stays[:low])
        common = vectors, rows, low
        for first in range(0, len(kept), BLOCK * 4):
            columns = kept[first : first + BLOCK * 4]
            product = block @ vectors[rows[columns]].T
            confirm(product, *common, columns, threshold, False, 0, stays, near, value)
        columns = np.arange(low, high)
        low, count = confirm(block @ block.T, *common, columns, threshold, True, left, stays, near, value)
        left -= count
    return low


def _bucketed(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    threshold: float,
    limit: int,
    found: Plan,
    stays: np.ndarray,
    near: np.ndarray,
    value: np.ndarray,
) -> tuple[int, np.ndarray]:
    """Settle places in chunks, each looked up in buckets of all that stayed before; returns the end and the bits."""
    from curate.algorithms.vectors.sign_loops import look_up, settle, signs

    turns, _, width = found.flips.shape
    bits = np.empty((len(rows), turns * width // 64), np.uint64)
    heads = np.zeros((found.bands, 1 << found.size), np.int32)  # the newest place in each bucket, plus one
    after = np.empty((len(rows), found.bands), np.int32)  # the one before it in the same bucket, plus one
    buckets = bits, found.size, found.cutoff, threshold, heads, after
    low, left = 0, limit
    while low < len(rows) and left:
        high = min(low + CHUNK, len(rows))

        def prepare(start: int, end: int, low: int = low) -> None:
            signs(vectors, rows, found.centre, found.flips, low + start, low + end, bits)
            look_up(vectors, rows, *buckets, max(low + start, known), low + end, near, value)

        in_blocks(high - low, PART, prepare)
        low, count = settle(vectors, rows, known, *buckets, low, high, left, stays, near, value)
        left -= count
    return low, bits
