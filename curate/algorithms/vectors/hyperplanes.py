"""Buckets in which near vectors meet: sign bits of random hyperplanes, cut into bands, sized for a wanted recall.

The sign bits of two vectors at an angle differ in a share angle / pi of them (Goemans and Williamson 1995; Charikar
2002), so the chance that two meet in one of the bands is known, and the hyperplanes are laid through the vectors' mean
where that spreads them better: sentence embeddings all lie to one side. What bands cost depends on how crowded the
buckets get; that is foreseen from the angles within a sample, and where it is more than comparing everything costs,
there is no plan.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import erf

import numpy as np

SAMPLE = 1024  # rows from which the rest are foreseen
MOST_BITS = 8192  # for a row: 1 KB
MOST_BUCKETS = 1 << 28  # of all bands: 1 GB
FIRST = 512  # bits that are looked at before two vectors are compared, if there are as many: one line of the cache
TURN, LOOK, VISIT, FLOPS = 2500.0, 150.0, 60.0, 40.0  # ns for bits of one turn, a bucket, a row in it; a ns's additions


@dataclass(frozen=True)
class Plan:
    """``bands`` of ``size`` bits, made with ``flips`` around ``centre``; pairs with up to ``cutoff`` first bits apart.

    ``recall`` is what is expected of pairs exactly at the threshold, ``cost`` is nanoseconds a row, ``exact`` what
    comparing everything would take.
    """

    bands: int
    size: int
    cutoff: int
    centre: np.ndarray
    flips: np.ndarray
    recall: float
    cost: float
    exact: float


def plan(sample: np.ndarray, rows: int, most: int, threshold: float, recall: float, seed: int) -> Plan | None:
    """Lay out the bands for ``rows`` vectors of which ``sample`` are some (unit, float32), the cheapest way.

    At most ``most`` of the rows are ever put in buckets. ``threshold`` is a cosine, ``recall`` the wanted share of the
    pairs exactly at it. Returns None where comparing every row with every kept one is cheaper, or where nothing but
    that will do.
    """
    if recall >= 1 or threshold <= 0:
        return None
    apart = sample[_apart(sample, threshold)]
    kept = max(1.0, min(most, rows * len(apart) / len(sample)))
    exact = kept / 2 * (1 + sample.shape[1] * 2 / FLOPS)
    width = max(256, 1 << (sample.shape[1] - 1).bit_length())
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    plans = [_best(apart, sample, centre, kept, threshold, recall, width) for centre in (mean, np.zeros_like(mean))]
    cost, bands, size, differ, centre, expected = min(plans, key=lambda found: found[0])
    if cost >= exact:
        return None
    turns = -(-bands * size // width)
    looked_at = min(FIRST, turns * width)
    passing = 1 - (1 - recall) / 10  # what the look at the first bits may lose is a tenth of all
    cutoff = bisect_left(range(looked_at), passing, key=lambda count: _passed(count, looked_at, differ))
    flips = np.random.default_rng(seed).integers(0, 2, (turns, 3, width)).astype(np.float32) * 2 - 1
    return Plan(bands, size, cutoff, centre, flips, expected, cost, exact)


def meets(bits: np.ndarray, left: np.ndarray, right: np.ndarray, plan: Plan) -> np.ndarray:
    """Whether pairs of places are found (Boolean): by one bucket or more, and few enough of their first bits apart."""
    differ = np.unpackbits((bits[left] ^ bits[right]).view(np.uint8), axis=1, bitorder="little")
    bands = differ[:, : plan.bands * plan.size].reshape(len(left), plan.bands, plan.size)
    return (~bands.any(axis=2)).any(axis=1) & (differ[:, :FIRST].sum(axis=1) <= plan.cutoff)


def _apart(sample: np.ndarray, threshold: float) -> np.ndarray:
    """Rows of a sample of which no two are within the threshold, greedily."""
    near = sample @ sample.T >= threshold
    kept: list[int] = []
    out = np.zeros(len(sample), bool)
    for row in range(len(sample)):
        if not out[row]:
            kept.append(row)
            out |= near[row]
    return np.array(kept)


def _best(
    apart: np.ndarray, sample: np.ndarray, centre: np.ndarray, kept: float, threshold: float, recall: float, width: int
) -> tuple:
    """The cheapest bands around a centre, as (cost, bands, size, differ, centre, recall); cost is infinite if none.

    ``differ``: the share of bits in which a pair at the threshold differs, for some of the rows (it depends on those).
    """
    spread = np.maximum(np.square(sample - centre).sum(axis=1, dtype=np.float64), 1e-9)
    # Of two rows at the threshold and as far from the centre as this one, as the centre sees them.
    differ = np.sort(_differ(1 - (1 - threshold) / spread))[:: max(1, len(sample) // 256)]
    meet = _meeting(apart - centre)
    best = (np.inf, 0, 0, differ, centre, 0.0)
    for size in range(6, min(28, int(np.log2(kept + 1)) + 6)):
        bands = _bands(differ, size, recall + (1 - recall) / 10)
        if bands * size > MOST_BITS or bands << size > MOST_BUCKETS:
            continue
        crowd = kept / 2 * float((meet[1] ** size * meet[0]).sum())
        cost = -(-bands * size // width) * TURN * width / 512 + bands * (LOOK + VISIT * crowd)
        if cost < best[0]:
            found = float((1 - (1 - (1 - differ) ** size) ** bands).mean())
            best = (cost, bands, size, differ, centre, found)
    return best


def _bands(differ: np.ndarray, size: int, recall: float) -> int:
    """The fewest bands of ``size`` bits in which pairs whose bits differ in these shares meet, ``recall`` of them."""
    miss = np.log1p(-np.minimum((1 - differ) ** size, 1 - 1e-12))
    low, high = 1, MOST_BITS // size + 1
    while low < high:
        middle = (low + high) // 2
        if 1 - np.exp(middle * miss).mean() >= recall:
            high = middle
        else:
            low = middle + 1
    return low


def _differ(cosine: np.ndarray) -> np.ndarray:
    """The share of sign bits that differ between vectors at this cosine."""
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi


def _passed(cutoff: int, count: int, differ: np.ndarray) -> float:
    """The share of pairs with at most ``cutoff`` of ``count`` bits apart (as normal distributions have it)."""
    scale = np.sqrt(2 * count * np.maximum(differ * (1 - differ), 1e-9))
    return float(np.mean([(1 + erf(x)) / 2 for x in (cutoff + 0.5 - count * differ) / scale]))


def _meeting(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How two of these vectors' bits agree: shares of all pairs, and the share of bits equal in each such pair."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, 1e-9)
    cosine = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    counts, edges = np.histogram(np.clip(cosine, -1, 1), bins=1000, range=(-1, 1))
    return counts / max(counts.sum(), 1), 1 - _differ((edges[1:] + edges[:-1]) / 2)
