"""Compiled loops over sign bits: on which side of random hyperplanes vectors lie, and who shares a bucket with whom.

A row of ``bits`` (uint64) holds a vector's sign bits; band ``b`` is the ``size`` bits from ``b * size`` on, and rows
whose band is equal share a bucket of that band. The ``FIRST`` bits also serve to tell pairs that are far apart without
looking at their vectors. Places are as in ``vector_loops``.
"""

import numba
import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.vectors.hyperplanes import FIRST
from curate.algorithms.vectors.vector_loops import cosine, joined

LANES = 8  # rows whose transforms go side by side, so that every sum is one of whole registers
SAME = 64  # of a star's rows in one bucket, those compared with the rest of it


@compiled
def fingerprints(words: np.ndarray, factors: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` (uint64) with a hash of each row of ``words`` (uint32, what is in a vector's bytes)."""
    for row in range(len(words)):
        total = np.uint64(0)
        for column in range(words.shape[1]):
            total += np.uint64(words[row, column]) * factors[column]
        total = (total ^ (total >> np.uint64(32))) * np.uint64(0xD6E8FEB86659FD93)
        out[row] = total ^ (total >> np.uint64(29))


@numba.njit
def _hadamard(lines: np.ndarray) -> None:
    """Walsh-Hadamard transform of ``LANES`` vectors at once, in place, but for the scale."""
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
    """Fill ``bits`` of the places from ``low`` to ``high``.

    ``flips`` (float32, turns x rounds x width, +1 or -1) makes the hyperplanes of each turn: flip, transform, and so on
    (Ailon and Chazelle 2009; Andoni et al. 2015). The sums of a row are the same whatever rows are beside it.
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


@numba.njit
def _key(bits: np.ndarray, place: int, band: int, size: int) -> int:
    """The bits of a band as a number."""
    start = band * size
    word, shift = start >> 6, start & 63
    value = bits[place, word] >> np.uint64(shift)
    if shift + size > 64:
        value |= bits[place, word + 1] << np.uint64(64 - shift)
    return np.int64(value & np.uint64((1 << size) - 1))


@numba.njit
def _apart(bits: np.ndarray, one: int, other: int) -> int:
    """How many of the first bits of two places differ."""
    count = np.uint64(0)
    for word in range(min(FIRST // 64, bits.shape[1])):
        x = bits[one, word] ^ bits[other, word]
        x -= (x >> np.uint64(1)) & np.uint64(0x5555555555555555)
        x = (x & np.uint64(0x3333333333333333)) + ((x >> np.uint64(2)) & np.uint64(0x3333333333333333))
        x = (x + (x >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
        count += (x * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return np.int64(count)


@numba.njit
def _look(
    vectors: np.ndarray,
    rows: np.ndarray,
    bits: np.ndarray,
    size: int,
    cutoff: int,
    threshold: float,
    heads: np.ndarray,
    after: np.ndarray,
    since: int,
    place: int,
    tried: np.ndarray,
    near: np.ndarray,
    value: np.ndarray,
) -> None:
    """Bring ``near`` and ``value`` of a place up to date with those in its buckets, from the place ``since`` on."""
    count = 0
    for band in range(len(heads)):
        other = heads[band, _key(bits, place, band, size)] - 1
        while other >= since:  # the newest first
            if _apart(bits, place, other) <= cutoff:
                new = True
                for index in range(min(count, len(tried))):
                    new &= tried[index] != other
                if new:
                    tried[count % len(tried)] = other
                    count += 1
                    true = cosine(vectors[rows[place]], vectors[rows[other]])
                    if true >= threshold and (
                        near[place] < 0 or true > value[place] or (true == value[place] and other < near[place])
                    ):
                        near[place], value[place] = other, true
            other = after[other, band] - 1


@compiled
def look_up(
    vectors: np.ndarray,
    rows: np.ndarray,
    bits: np.ndarray,
    size: int,
    cutoff: int,
    threshold: float,
    heads: np.ndarray,
    after: np.ndarray,
    low: int,
    high: int,
    near: np.ndarray,
    value: np.ndarray,
) -> None:
    """Find the nearest within the threshold, of those in the buckets, for each place from ``low`` to ``high``."""
    tried = np.empty(64, np.int64)
    for place in range(low, high):
        _look(vectors, rows, bits, size, cutoff, threshold, heads, after, 0, place, tried, near, value)


@compiled
def settle(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    bits: np.ndarray,
    size: int,
    cutoff: int,
    threshold: float,
    heads: np.ndarray,
    after: np.ndarray,
    low: int,
    high: int,
    limit: int,
    stays: np.ndarray,
    near: np.ndarray,
    value: np.ndarray,
) -> tuple[int, int]:
    """Go down the places from ``low`` to ``high``: put those in the buckets that have nothing near in them.

    ``near`` has been filled by ``look_up`` for what was there before. The first ``known`` stay in any case. Stops when
    ``limit`` of them stay. Returns the place after the last one settled and how many stay.
    """
    tried = np.empty(64, np.int64)
    count = 0
    for place in range(low, high):
        if place >= known:
            _look(vectors, rows, bits, size, cutoff, threshold, heads, after, low, place, tried, near, value)
        if near[place] < 0:
            stays[place] = True
            count += 1
            for band in range(len(heads)):
                key = _key(bits, place, band, size)
                after[place, band] = heads[band, key]
                heads[band, key] = place + 1
        if count == limit:
            return place + 1, count
    return high, count


@compiled
def bridge(
    vectors: np.ndarray,
    rows: np.ndarray,
    known: int,
    bits: np.ndarray,
    size: int,
    cutoff: int,
    threshold: float,
    band: int,
    star: np.ndarray,
    by_star: np.ndarray,
    parent: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    value: np.ndarray,
) -> int:
    """Join places of different stars that share a bucket of ``band``; returns how many pairs did, as ``link`` does.

    ``star`` is the kept place each is near to, ``by_star`` the places sorted by it. Of a star only the first few rows
    in a bucket are compared: what keeps a million copies from being a million squared.
    """
    ends = np.zeros((1 << size) + 1, np.int64)
    for place in range(len(star)):
        ends[_key(bits, place, band, size) + 1] += 1
    for key in range(1 << size):
        ends[key + 1] += ends[key]
    slot, members = ends[:-1].copy(), np.empty(len(star), np.int32)
    for place in by_star:
        key = _key(bits, place, band, size)
        members[slot[key]] = place
        slot[key] += 1
    count = 0
    for key in range(1 << size):
        high, same = ends[key], 0
        for index in range(ends[key], ends[key + 1]):
            place = members[index]
            same = same + 1 if high > ends[key] and star[members[high - 1]] == star[place] else 0
            if same >= SAME:
                continue
            for before in range(ends[key], high - same):
                if _apart(bits, place, members[before]) <= cutoff:
                    true = joined(vectors, rows, known, threshold, parent, place, members[before])
                    if true >= threshold:
                        left[count], right[count], value[count] = members[before], place, true
                        count += 1
            members[high] = place
            high += 1
    return count
