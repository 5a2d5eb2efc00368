"""Buckets that near vectors share: sign bits of random hyperplanes, cut into bands, planned for a wanted recall.

The sign bits of two vectors differ in a share angle / pi of them (Goemans and Williamson 1995; Charikar 2002), so the
chance that two vectors agree in all bits of some band is known. Sentence embeddings all lie to one side of the origin;
the hyperplanes go through the mean of the vectors where that spreads them better. The cost of the bands depends on how
many rows share a bucket. It is estimated from the angles within a sample; where it is higher than the cost of comparing
all rows, there is no plan.
"""

from bisect import bisect_left
from dataclasses import dataclass
from math import erf

import numpy as np

MOST_BITS = 8192  # for a row: 1 KB
MOST_BUCKETS, BUCKETS_A_ROW = 1 << 28, 16  # of all bands: 1 GB, or 64 bytes a row where that is more
FIRST = 512  # bits compared before two vectors are, if there are as many: one line of the cache
# Cost model, in nanoseconds a row: computing the bits of one turn (512 wide), looking up one bucket, checking one row
# in it. ``ADDITIONS`` is how many additions of a matrix product take one nanosecond.
TURN, LOOK_UP, CHECK, ADDITIONS = 2500.0, 150.0, 60.0, 40.0


@dataclass(frozen=True)
class BandPlan:
    """A layout of buckets.

    Attributes:
        bands: How many bands there are.
        size: Bits in a band.
        cutoff: A pair is compared only if at most so many of its first bits differ.
        centre: The point that the hyperplanes go through.
        flips: The signs that make the hyperplanes (``hyperplane_loops.signs``).
        recall: The share expected to be found of pairs exactly at the threshold.
        cost: Estimated nanoseconds a row.
        exact: Estimated nanoseconds a row of comparing all rows.
    """

    bands: int
    size: int
    cutoff: int
    centre: np.ndarray
    flips: np.ndarray
    recall: float
    cost: float
    exact: float


def plan_bands(sample: np.ndarray, rows: int, most: int, threshold: float, recall: float, seed: int) -> BandPlan | None:
    """Return the cheapest layout of bands, or None where comparing every row with every kept one is cheaper.

    Also returns None where only a full comparison will do: for a recall of 1, or a threshold that is not above 0.

    Args:
        sample: Some of the vectors (unit, float32).
        rows: How many vectors there are.
        most: How many of them are ever put in buckets, at most.
        threshold: The cosine from which two vectors are near.
        recall: The wanted share of the pairs exactly at the threshold.
        seed: The seed of the hyperplanes.
    """
    if recall >= 1 or threshold <= 0:
        return None
    apart = sample[_far_apart(sample, threshold)]
    kept = max(1.0, min(most, rows * len(apart) / len(sample)))
    exact = kept / 2 * (1 + sample.shape[1] * 2 / ADDITIONS)
    width = max(256, 1 << (sample.shape[1] - 1).bit_length())
    mean = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    plans = [_cheapest(apart, sample, centre, kept, threshold, recall, width) for centre in (mean, np.zeros_like(mean))]
    cost, bands, size, differ, centre, expected = min(plans, key=lambda found: found[0])
    if cost >= exact:
        return None
    turns = -(-bands * size // width)
    first = min(FIRST, turns * width)
    passing = 1 - (1 - recall) / 10  # the check of the first bits may lose a tenth of all that is lost
    cutoff = bisect_left(range(first), passing, key=lambda count: _share_within(count, first, differ))
    flips = np.random.default_rng(seed).integers(0, 2, (turns, 3, width)).astype(np.float32) * 2 - 1
    return BandPlan(bands, size, cutoff, centre, flips, expected, cost, exact)


def share_bucket(bits: np.ndarray, left: np.ndarray, right: np.ndarray, plan: BandPlan) -> np.ndarray:
    """Return whether each pair of places is found: it shares a bucket, and few enough of its first bits differ."""
    differ = np.unpackbits((bits[left] ^ bits[right]).view(np.uint8), axis=1, bitorder="little")
    bands = differ[:, : plan.bands * plan.size].reshape(len(left), plan.bands, plan.size)
    return ~np.all(np.any(bands, axis=2), axis=1) & (differ[:, :FIRST].sum(axis=1) <= plan.cutoff)


def _far_apart(sample: np.ndarray, threshold: float) -> np.ndarray:
    """Return rows of a sample of which no two are within the threshold, greedily."""
    near = sample @ sample.T >= threshold
    kept: list[int] = []
    out = np.zeros(len(sample), bool)
    for row in range(len(sample)):
        if not out[row]:
            kept.append(row)
            out |= near[row]
    return np.array(kept)


def _cheapest(
    apart: np.ndarray, sample: np.ndarray, centre: np.ndarray, kept: float, threshold: float, recall: float, width: int
) -> tuple:
    """Return the cheapest bands around a centre: (cost, bands, size, differ, centre, recall); infinite cost if none.

    ``differ`` is the share of bits in which a pair at the threshold differs, for some of the rows, on which it depends.
    """
    spread = np.maximum(np.square(sample - centre).sum(axis=1, dtype=np.float64), 1e-9)
    # The angle, seen from the centre, of two rows at the threshold that are as far from the centre as this one.
    differ = np.sort(_differing(1 - (1 - threshold) / spread))[:: max(1, len(sample) // 256)]
    shares, agreement = _agreement(apart - centre)
    most_buckets = max(MOST_BUCKETS, int(BUCKETS_A_ROW * kept))
    best = (np.inf, 0, 0, differ, centre, 0.0)
    for size in range(6, min(28, int(np.log2(kept + 1)) + 6)):
        bands = _bands_needed(differ, size, recall + (1 - recall) / 10)
        if bands * size > MOST_BITS or bands << size > most_buckets:
            continue
        in_bucket = kept / 2 * float((agreement**size * shares).sum())
        cost = -(-bands * size // width) * TURN * width / 512 + bands * (LOOK_UP + CHECK * in_bucket)
        if cost < best[0]:
            found = float((1 - (1 - (1 - differ) ** size) ** bands).mean())
            best = (cost, bands, size, differ, centre, found)
    return best


def _bands_needed(differ: np.ndarray, size: int, recall: float) -> int:
    """Return the fewest bands of ``size`` bits that find ``recall`` of the pairs whose bits differ in these shares."""
    miss = np.log1p(-np.minimum((1 - differ) ** size, 1 - 1e-12))
    low, high = 1, MOST_BITS // size + 1
    while low < high:
        middle = (low + high) // 2
        if 1 - np.exp(middle * miss).mean() >= recall:
            high = middle
        else:
            low = middle + 1
    return low


def _differing(cosine: np.ndarray) -> np.ndarray:
    """Return the share of sign bits that differ between vectors at this cosine."""
    return np.arccos(np.clip(cosine, -1, 1)) / np.pi


def _share_within(cutoff: int, count: int, differ: np.ndarray) -> float:
    """Return the share of pairs with at most ``cutoff`` of ``count`` bits different (by the normal approximation)."""
    scale = np.sqrt(2 * count * np.maximum(differ * (1 - differ), 1e-9))
    return float(np.mean([(1 + erf(x)) / 2 for x in (cutoff + 0.5 - count * differ) / scale]))


def _agreement(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a histogram of pairs by the share of bits that agree: shares of all pairs, and the share of equal bits."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = vectors / np.maximum(lengths, 1e-9)
    cosine = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
    counts, edges = np.histogram(np.clip(cosine, -1, 1), bins=1000, range=(-1, 1))
    return counts / max(counts.sum(), 1), 1 - _differing((edges[1:] + edges[:-1]) / 2)
