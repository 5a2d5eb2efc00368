"""Compiled loops over sign bits: compute them, keep places that share no bucket with a near one, and join near places.

A vector has a sign bit for each of many random hyperplanes (``hyperplanes.py``): on which side of it the vector lies.
Places whose bits of a band are equal share a bucket of that band. Before the vectors of such a pair are compared, its
``FIRST`` bits are: too many different ones rule it out. ``places.py`` explains the named tuples.
"""

import numpy as np

from curate.algorithms.compiled import compiled, helper
from curate.algorithms.vectors.hyperplanes import FIRST
from curate.algorithms.vectors.near_pair_loops import cosine, join
from curate.algorithms.vectors.places import Buckets, Decisions, Pairs, Places, SignBits

LANES = 8  # rows transformed side by side, so that every sum is one of whole registers
TRIED = 64  # places remembered as compared already, when a place is looked up
SAME_STAR = 64  # rows of one star in one bucket that are compared with the rest of the bucket


@helper
def _hadamard(lines: np.ndarray) -> None:
    """Transform ``LANES`` vectors at once, in place: Walsh-Hadamard without its scale factor."""
    half = LANES
    while half < len(lines):
        for low in range(0, len(lines), 2 * half):
            one, other = lines[low : low + half], lines[low + half : low + 2 * half]
            for place in range(half):
                x, y = one[place], other[place]
                one[place], other[place] = x + y, x - y
        half *= 2


@compiled
def signs(
    vectors: np.ndarray,
    rows: np.ndarray,
    centre: np.ndarray,
    flips: np.ndarray,
    low: int,
    high: int,
    bits: np.ndarray,
) -> None:
    """Fill the sign bits ``bits`` (uint64) of the places from ``low`` to ``high``.

    The hyperplanes go through ``centre``. Those of each turn are made by ``flips`` (float32, turns x rounds x width, +1
    or -1): flip signs, transform, and again for each round (Ailon and Chazelle 2009; Andoni et al. 2015). The sums of a
    row are the same whatever rows are beside it.
    """
    turns, rounds, width = flips.shape
    lines = np.empty(width * LANES, np.float32)
    words = np.empty(LANES, np.uint64)
    for start in range(low, high, LANES):
        count = min(LANES, high - start)
        for turn in range(turns):
            lines[:] = 0
            for lane in range(count):
                vector = vectors[rows[start + lane]]
                for column in range(len(vector)):
                    lines[column * LANES + lane] = (vector[column] - centre[column]) * flips[turn, 0, column]
            _hadamard(lines)
            for again in range(1, rounds):
                for column in range(width):
                    line = lines[column * LANES : (column + 1) * LANES]
                    for lane in range(LANES):
                        line[lane] *= flips[turn, again, column]
                _hadamard(lines)
            for word in range(width // 64):
                words[:] = 0
                for bit in range(64):
                    line = lines[(word * 64 + bit) * LANES : (word * 64 + bit + 1) * LANES]
                    for lane in range(LANES):
                        words[lane] |= np.uint64(line[lane] > 0) << np.uint64(bit)
                for lane in range(count):
                    bits[start + lane, turn * (width // 64) + word] = words[lane]


@compiled
def band_buckets(bits: SignBits, bands: int, out: np.ndarray) -> None:
    """Fill ``out`` (uint32, bands x places) with the bucket of every place in each band."""
    for place in range(len(bits.words)):
        for band in range(bands):
            out[band, place] = _bucket(bits, place, band)


@helper
def _bucket(bits: SignBits, place: int, band: int) -> np.int64:
    """Return the bits of a band as a number: the bucket of the place."""
    start = band * bits.size
    word, shift = start >> 6, start & 63
    value = bits.words[place, word] >> np.uint64(shift)
    if shift + bits.size > 64:
        value |= bits.words[place, word + 1] << np.uint64(64 - shift)
    return np.int64(value & np.uint64((1 << bits.size) - 1))


@helper
def different(bits: SignBits, one: int | np.intp, other: int | np.intp) -> np.int64:
    """Return how many of the first bits of two places differ."""
    count = np.uint64(0)
    for word in range(min(FIRST // 64, bits.words.shape[1])):
        x = bits.words[one, word] ^ bits.words[other, word]
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        count += (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return np.int64(count)


@helper
def _update_from_buckets(
    places: Places,
    bits: SignBits,
    buckets: Buckets,
    since: int,
    place: int,
    tried: np.ndarray,
    decisions: Decisions,
) -> None:
    """Update the nearest kept place of ``place`` by those in its buckets, from the place ``since`` on."""
    vectors, rows, threshold = places.vectors, places.rows, places.threshold
    nearest, closest = decisions.nearest, decisions.cosine
    count = 0
    for band in range(len(buckets.heads)):
        other = buckets.heads[band, _bucket(bits, place, band)] - 1
        while other >= since:  # the newest first
            if different(bits, place, other) <= bits.cutoff:
                new = True
                for index in range(min(count, len(tried))):
                    new &= tried[index] != other
                if new:
                    tried[count % len(tried)] = other
                    count += 1
                    true = cosine(vectors[rows[place]], vectors[rows[other]])
                    if true >= threshold and (
                        nearest[place] < 0
                        or true > closest[place]
                        or (true == closest[place] and other < nearest[place])
                    ):
                        nearest[place], closest[place] = other, true
            other = buckets.after[other, band] - 1


@compiled
def look_up(places: Places, bits: SignBits, buckets: Buckets, low: int, high: int, decisions: Decisions) -> None:
    """Find the nearest kept place in the buckets, within the threshold, for each place from ``low`` to ``high``."""
    tried = np.empty(TRIED, np.int64)
    for place in range(low, high):
        _update_from_buckets(places, bits, buckets, 0, place, tried, decisions)


@compiled
def decide_chunk(
    places: Places,
    bits: SignBits,
    buckets: Buckets,
    low: int,
    high: int,
    limit: int,
    decisions: Decisions,
) -> tuple[int, int]:
    """Decide the places from ``low`` to ``high`` one by one, and put those that are kept into the buckets.

    A place is kept if no kept place near it is in its buckets, and known places always are. ``look_up`` has compared
    these places with all kept ones before ``low``. Stops when ``limit`` of them are kept. Returns the place after the
    last one decided, and how many are kept.
    """
    tried = np.empty(TRIED, np.int64)
    count = 0
    for place in range(low, high):
        if place >= places.known:
            _update_from_buckets(places, bits, buckets, low, place, tried, decisions)
        if decisions.nearest[place] < 0:
            decisions.kept[place] = True
            count += 1
            for band in range(len(buckets.heads)):
                bucket = _bucket(bits, place, band)
                buckets.after[place, band] = buckets.heads[band, bucket]
                buckets.heads[band, bucket] = place + 1
        if count == limit:
            return place + 1, count
    return high, count


@compiled
def join_buckets(
    places: Places,
    bits: SignBits,
    band: int,
    star: np.ndarray,
    by_star: np.ndarray,
    parent: np.ndarray,
    pairs: Pairs,
    count: int,
) -> int:
    """Join near places of different stars that share a bucket of ``band``.

    ``star`` is the kept place each place is near to, ``by_star`` the places sorted by it. Of a star only the first few
    places in a bucket are compared with the others there, or a million copies would take a million squared comparisons.
    Appends the pairs that joined two components to ``pairs``, which holds ``count``; returns how many it then holds.
    """
    ends = np.zeros((1 << bits.size) + 1, np.int64)
    for place in range(len(star)):
        ends[_bucket(bits, place, band) + 1] += 1
    for bucket in range(1 << bits.size):
        ends[bucket + 1] += ends[bucket]
    slot, members = ends[:-1].copy(), np.empty(len(star), np.int32)
    for place in by_star:
        bucket = _bucket(bits, place, band)
        members[slot[bucket]] = place
        slot[bucket] += 1
    for bucket in range(1 << bits.size):
        high, same = ends[bucket], 0
        for index in range(ends[bucket], ends[bucket + 1]):
            place = members[index]
            same = same + 1 if high > ends[bucket] and star[members[high - 1]] == star[place] else 0
            if same >= SAME_STAR:
                continue
            for before in range(ends[bucket], high - same):
                if different(bits, place, members[before]) <= bits.cutoff:
                    true = join(places, parent, place, members[before])
                    if true >= places.threshold:
                        pairs.left[count], pairs.right[count], pairs.cosine[count] = members[before], place, true
                        count += 1
            members[high] = place
            high += 1
    return count
