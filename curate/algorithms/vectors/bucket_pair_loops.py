"""Compiled loops over the buckets of one band by themselves, for rows whose bands are compared in different processes.

A place is kept where no kept place before it is near and shares a bucket with it (``hyperplane_loops``), so whether a
pair matters depends on other bands. It is found out in rounds (``compare_members``, ``settle``): each compares in
every bucket the first places that may be kept with all later ones, four times as many as the round before.

The members of a band are packed: ``bucket << 32 | place`` (uint64), sorted. Pairs are ``right << 32 | left``, the left
place before the right one. A pair that shares several buckets is compared in the first band only, as far as the first
bits tell (``FIRST``).
"""

import numpy as np

from curate.algorithms.compiled import compiled, helper
from curate.algorithms.vectors.hyperplane_loops import different
from curate.algorithms.vectors.hyperplanes import FIRST
from curate.algorithms.vectors.near_pair_loops import cosine
from curate.algorithms.vectors.places import DROPPED, KEPT, UNKNOWN, SignBits

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@helper
def _shares_earlier(bits: SignBits, one: int | np.intp, other: int | np.intp, band: int) -> bool:
    """Return whether two places share a bucket of an earlier band that lies within the first bits."""
    within = min(FIRST, 64 * bits.words.shape[1]) // bits.size
    for earlier in range(min(band, within)):
        start = earlier * bits.size
        word, shift = start >> 6, start & 63
        value = (bits.words[one, word] ^ bits.words[other, word]) >> np.uint64(shift)
        if shift + bits.size > 64:
            value |= (bits.words[one, word + 1] ^ bits.words[other, word + 1]) << np.uint64(64 - shift)
        if value & np.uint64((1 << bits.size) - 1) == 0:
            return True
    return False


@helper
def _near(vectors: np.ndarray, bits: SignBits, band: int, one: int | np.intp, other: int | np.intp) -> float:
    """Return the true cosine of two places that share a bucket of a band, or -2 where another band or none finds it."""
    if different(bits, one, other) > bits.cutoff or _shares_earlier(bits, one, other, band):
        return -2.0
    return cosine(vectors[one], vectors[other])


@helper
def _end_of_bucket(packed: np.ndarray, low: int) -> int:
    high = low + 1
    while high < len(packed) and packed[high] >> HALF == packed[low] >> HALF:
        high += 1
    return high


@helper
def _longer(array: np.ndarray) -> np.ndarray:
    longer = np.empty(2 * len(array) + 16, array.dtype)
    longer[: len(array)] = array
    return longer


@helper
def _compare_live(
    live: np.ndarray,
    vectors: np.ndarray,
    threshold: float,
    bits: SignBits,
    band: int,
    states: np.ndarray,
    done: int | np.intp,
    limit: int,
    near: np.ndarray,
    found: int,
) -> tuple[np.ndarray, int]:
    """Compare the first places of a bucket with those after them; return the near pairs, and how many there are.

    A place that is near to a kept one is made negative in ``live``: it is dropped, and no more need be known of it.
    """
    for at in range(min(limit, len(live))):
        left = live[at]
        if left <= done:  # an earlier round has compared it; or it is negative
            continue
        for after in range(at + 1, len(live)):
            right = live[after]
            if right < 0 or states[right] == KEPT:
                continue
            if _near(vectors, bits, band, left, right) >= threshold:
                if found == len(near):
                    near = _longer(near)
                near[found] = np.uint64(right) << HALF | np.uint64(left)
                found += 1
                if states[left] == KEPT:
                    live[after] = ~right
    return near, found


@compiled
def compare_members(
    packed: np.ndarray,
    vectors: np.ndarray,
    threshold: float,
    bits: SignBits,
    band: int,
    states: np.ndarray,
    compared: int,
    limit: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare, in each bucket, the first ``limit`` members that may be kept with all unknown ones after them.

    Args:
        packed: The members of the buckets; it is overwritten.
        vectors: The unit vector of each place (float32).
        threshold: The cosine from which two places are near.
        bits: The sign bits of each place.
        band: The band.
        states: What is known of each place (uint8).
        compared: How many members of each bucket, the first ones of those given here, an earlier round has compared.
        limit: How many are compared when this round ends.

    Returns:
        The near pairs; the members of the buckets that are to be looked at again; and of these the unknown places
        that have not been compared with all before them (uint32).
    """
    near, found = np.empty(16, np.uint64), 0
    waiting, open_places = np.empty(16, np.uint32), 0
    live, low, rest = np.empty(16, np.int64), 0, 0
    while low < len(packed):
        high, count, unknown = _end_of_bucket(packed, low), 0, False
        done = np.int64(packed[min(low + compared, high) - 1] & LOW) if compared else np.int64(-1)
        for index in range(low, high):
            place = np.int64(packed[index] & LOW)
            if states[place] != DROPPED:
                if count == len(live):
                    live = _longer(live)
                live[count] = place
                count += 1
                unknown |= states[place] == UNKNOWN
        if unknown:
            near, found = _compare_live(live[:count], vectors, threshold, bits, band, states, done, limit, near, found)
        before = open_places
        for at in range(limit + 1, count):
            if live[at] >= 0 and states[live[at]] == UNKNOWN:
                if open_places == len(waiting):
                    waiting = _longer(waiting)
                waiting[open_places] = live[at]
                open_places += 1
        if open_places > before:
            bucket = packed[low] >> HALF << HALF
            for at in range(count):
                packed[rest] = bucket | np.uint64(max(live[at], ~live[at]))
                rest += 1
        low = high
    return near[:found], packed[:rest], waiting[:open_places]


@compiled
def settle(pairs: np.ndarray, states: np.ndarray, waiting: np.ndarray, low: int, high: int) -> None:
    """Decide the places from ``low`` to ``high`` in order, as far as the near pairs found so far allow.

    Args:
        pairs: The near pairs of these right places, sorted; those whose left place is dropped may be missing.
        states: What is known of each place (uint8), which is updated; all before ``low`` have been looked at.
        waiting: Whether a place has yet to be compared with places before it (Boolean).
        low: The first place.
        high: The place after the last.
    """
    at = 0
    for place in range(low, high):
        is_open, dropped = waiting[place], False
        while at < len(pairs) and np.int64(pairs[at] >> HALF) == place:
            state = states[np.int64(pairs[at] & LOW)]
            dropped |= state == KEPT
            is_open |= state == UNKNOWN
            at += 1
        if states[place] == UNKNOWN and dropped:
            states[place] = DROPPED
        elif states[place] == UNKNOWN and not is_open:
            states[place] = KEPT


@compiled
def nearest_members(
    packed: np.ndarray, vectors: np.ndarray, threshold: float, bits: SignBits, band: int, states: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the nearest kept place in its bucket, before it and within the threshold, for each dropped one.

    Args:
        packed: The members of the band's buckets.
        vectors: The unit vector of each place (float32).
        threshold: The cosine from which two places are near.
        bits: The sign bits of each place.
        band: The band.
        states: What is known of each place (uint8): none is unknown.

    Returns:
        The dropped places for which there is one, that one (uint32 each), and the true cosine (float64).
    """
    dropped, nearest = np.empty(16, np.uint32), np.empty(16, np.uint32)
    closest, kept = np.empty(16, np.float64), np.empty(16, np.int64)
    found, low = 0, 0
    while low < len(packed):
        high, count = _end_of_bucket(packed, low), 0
        for index in range(low, high):
            place = np.int64(packed[index] & LOW)
            if states[place] == KEPT:
                if count == len(kept):
                    kept = _longer(kept)
                kept[count] = place
                count += 1
                continue
            best, value = np.int64(-1), -2.0
            for at in range(count):
                true = _near(vectors, bits, band, place, kept[at])
                if true >= threshold and true > value:  # of equally near ones the first
                    best, value = kept[at], true
            if best >= 0:
                if found == len(dropped):
                    dropped, nearest, closest = _longer(dropped), _longer(nearest), _longer(closest)
                dropped[found], nearest[found], closest[found] = place, best, value
                found += 1
        low = high
    return dropped[:found], nearest[:found], closest[:found]


@compiled
def raise_closest(
    place: np.ndarray, near: np.ndarray, value: np.ndarray, nearest: np.ndarray, closest: np.ndarray
) -> None:
    """Update the nearest place of places, ``nearest`` and ``closest``, by what one band has (``nearest_members``)."""
    for at in range(len(place)):
        one, other = place[at], np.int64(near[at])
        if nearest[one] < 0 or value[at] > closest[one] or (value[at] == closest[one] and other < nearest[one]):
            nearest[one], closest[one] = other, value[at]
