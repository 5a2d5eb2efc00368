"""Compiled loops over the bytes of texts: words, n-grams, their sketches, and what two texts' n-grams share.

The texts are levelled (``levels``); a word is a unit of theirs, a run of bytes without a space. Hashes of n-grams have
64 bits: two different n-grams have the same hash with a probability of 1 in 2**64. Hashes of whole texts have 128 bits.
No key is secret: whoever knows them can make texts that have the same hash.
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.text_loops import longest_text

SPACE = 32
CONTENT = 4  # 32-bit numbers of the hash of a whole levelled text
WHOLE = 2  # texts of fewer words than this many n-grams hold without overlap are compared in full
START = np.uint64(0xCBF29CE484222325)
BASE = np.uint64(0x9E3779B97F4A7C15)  # of the rolling polynomial hash over the words
ODD = np.uint64(0xD6E8FEB86659FD93)
MIX = np.uint64(0xFF51AFD7ED558CCD)
ZERO, ONE, EIGHT, HALF, LOW = (np.uint64(value) for value in (0, 1, 8, 32, 0xFFFFFFFF))


class Table(NamedTuple):
    """Which n-grams a text has had, in slots: the n-gram, the row of the text, how often it came again."""

    held: np.ndarray
    holder: np.ndarray
    times: np.ndarray


@compiled
def mix(value: np.uint64) -> np.uint64:
    """Return a hash of a value: each of its 64 bits depends on all bits of the value."""
    value = (value ^ (value >> HALF)) * ODD
    value = (value ^ (value >> HALF)) * MIX
    return value ^ (value >> HALF)


@compiled
def hash_words(data: np.ndarray, low: int, high: int, characters: bool, words: np.ndarray) -> int:
    """Write the hashes of the words (or ``characters``) of one text to ``words``; return how many there are."""
    count, length = 0, 0
    value, eight = START, ZERO  # the hash so far, and up to eight bytes not yet in it
    for place in range(low, high):
        byte = data[place]
        if length and (byte == SPACE or (characters and (byte & 0xC0) != 0x80)):
            words[count] = mix(value ^ eight)
            count += 1
            length, value, eight = 0, START, ZERO
        if byte != SPACE:
            eight = (eight << EIGHT) | np.uint64(byte)
            length += 1
            if length & 7 == 0:
                value, eight = mix(value ^ eight), ZERO
    if length:
        words[count] = mix(value ^ eight)
        count += 1
    return count


@compiled
def hash_ngrams(words: np.ndarray, count: int, ngram: int, grams: np.ndarray) -> int:
    """Write the hashes of the n-grams of ``words``; return how many. Fewer words than ``ngram`` are one n-gram."""
    if not count:
        return 0
    value, power = np.uint64(0), ONE
    for place in range(min(count, ngram)):
        value = value * BASE + words[place]
        power *= BASE
    grams[0] = mix(value)
    for place in range(ngram, count):
        value = value * BASE + words[place] - power * words[place - ngram]
        grams[place - ngram + 1] = mix(value)
    return max(count - ngram, 0) + 1


@compiled
def hash_text(data: np.ndarray, low: int, high: int) -> tuple[np.uint64, np.uint64]:
    """Return two hashes of all bytes of one text; neither is 0."""
    one, two, last = START, np.uint64(high - low), ZERO
    whole = low + (high - low) // 8 * 8
    for at in range(low, whole, 8):
        value = ZERO
        for place in range(8):
            value |= np.uint64(data[at + place]) << np.uint64(8 * place)
        one, two = mix(one ^ value), (two ^ value) * BASE + (two >> HALF)
    for place in range(whole, high):
        last = (last << EIGHT) | np.uint64(data[place])
    return mix(one ^ last) | ONE, mix((two ^ last) * BASE + (two >> HALF)) | ONE


@compiled
def counted_ngrams(
    words: np.ndarray, count: int, ngram: int, whole: np.uint64, row: int, grams: np.ndarray, table: Table
) -> int:
    """Write the n-grams of ``words``, the repeats of one as other n-grams; return how many there are.

    A text that repeats an n-gram so has another set than one that does not. Fewer words than ``WHOLE`` times ``ngram``
    are one n-gram, ``whole``, which only an equal text has.
    """
    if not count:
        return 0
    if count < WHOLE * ngram:
        grams[0] = whole
        return 1
    count = hash_ngrams(words, count, ngram, grams)
    mask = np.int64(15)
    while mask < 2 * count:
        mask = 2 * mask + 1
    mask = min(mask, len(table.held) - 1)
    for place in range(count):
        gram = grams[place]
        slot = np.int64(gram & LOW) & mask
        while table.holder[slot] == row and table.held[slot] != gram:
            slot = (slot + 1) & mask
        if table.holder[slot] == row:
            table.times[slot] += 1
            grams[place] = mix(gram + ODD * np.uint64(table.times[slot]))
        else:
            table.held[slot], table.holder[slot], table.times[slot] = gram, row, 0
    return count


@compiled
def make_table(largest: int) -> Table:
    """Return a table with room for so many n-grams of a text."""
    slots = np.int64(16)
    while slots < 2 * largest:
        slots *= 2
    return Table(np.empty(slots, np.uint64), np.full(slots, -1, np.int64), np.empty(slots, np.int64))


@compiled
def min_hashes(grams: np.ndarray, count: int, factor: np.ndarray, offset: np.ndarray, least: np.ndarray) -> None:
    """Write the least value of the n-grams under each permutation, ``factor * n-gram + offset`` modulo 2**32."""
    least[:] = 0xFFFFFFFF
    for place in range(0, count, 4):  # four at a time, as reading and writing ``least`` is half of the work
        one, two = np.uint32(grams[place] >> HALF), np.uint32(grams[min(place + 1, count - 1)] >> HALF)
        three = np.uint32(grams[min(place + 2, count - 1)] >> HALF)
        four = np.uint32(grams[min(place + 3, count - 1)] >> HALF)
        for which in range(len(least)):
            times, plus = factor[which], offset[which]
            first = min(np.uint32(times * one + plus), np.uint32(times * two + plus))
            second = min(np.uint32(times * three + plus), np.uint32(times * four + plus))
            least[which] = min(least[which], min(first, second))


@compiled
def sketch_rows(
    data: np.ndarray,
    ends: np.ndarray,
    characters: bool,
    ngram: int,
    factor: np.ndarray,
    offset: np.ndarray,
    out: np.ndarray,
) -> None:
    """Write the sketch of each text: a key a band, then the hash of all of it; all 0 for a wordless text."""
    longest = longest_text(ends, 0, len(ends) - 1)
    words, grams = np.empty(longest + 1, np.uint64), np.empty(longest + 1, np.uint64)
    table = make_table(longest)
    bands = out.shape[1] - CONTENT
    size = len(factor) // bands
    least = np.empty(len(factor), np.uint32)
    for row in range(len(ends) - 1):
        count = hash_words(data, ends[row], ends[row + 1], characters, words)
        if not count:
            out[row, :] = 0
            continue
        one, two = hash_text(data, ends[row], ends[row + 1])
        min_hashes(grams, counted_ngrams(words, count, ngram, one, row, grams, table), factor, offset, least)
        for band in range(bands):
            key = np.uint64(0)
            for which in range(band * size, band * size + size):
                key = (key ^ (key >> HALF)) * ODD + np.uint64(least[which]) + ONE
            out[row, band] = np.uint32(mix(key) & LOW)
        for half, value in enumerate((one, two)):
            out[row, bands + 2 * half] = np.uint32(value >> HALF)
            out[row, bands + 2 * half + 1] = np.uint32(value & LOW)


@compiled
def distinct_ngrams(
    data: np.ndarray,
    ends: np.ndarray,
    characters: bool,
    ngram: int,
    out: np.ndarray,
    places: np.ndarray,
    wholes: np.ndarray,
) -> None:
    """Write the n-grams of each text (``counted_ngrams``), one text after another.

    ``places`` says where those of each begin, ``wholes`` is a hash of each text.
    """
    longest = longest_text(ends, 0, len(ends) - 1)
    words, table = np.empty(longest + 1, np.uint64), make_table(longest)
    used = np.int64(0)
    for row in range(len(ends) - 1):
        places[row] = used
        wholes[row], _ = hash_text(data, ends[row], ends[row + 1])
        count = hash_words(data, ends[row], ends[row + 1], characters, words)
        used += counted_ngrams(words, count, ngram, wholes[row], row, out[used:], table)
    places[len(ends) - 1] = used


@compiled
def jaccard_similarities(
    grams: np.ndarray,
    places: np.ndarray,
    wholes: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    threshold: float,
    out: np.ndarray,
) -> None:
    """Write the Jaccard similarity of pairs of rows of ``distinct_ngrams``; 0 if below ``threshold``.

    It is 1.0 for equal texts only: the order of the n-grams of others counts as one more that is not shared.

    Pairs of one ``left`` row must be adjacent: its n-grams are put into a hash table once.
    """
    largest = longest_text(places, 0, len(places) - 1)
    slots = np.int64(16)
    while slots < 2 * largest:
        slots *= 2
    held, holder = np.empty(slots, np.uint64), np.full(slots, -1, np.int64)
    before, mask = np.int64(-1), np.int64(15)
    for pair in range(len(left)):
        one, two = left[pair], right[pair]
        low, high = places[two], places[two + 1]
        total = places[one + 1] - places[one] + high - low
        if one != before:
            mask = np.int64(15)
            while mask < 2 * (places[one + 1] - places[one]):
                mask = 2 * mask + 1
            mask = min(mask, slots - 1)
            for place in range(places[one], places[one + 1]):
                slot = np.int64(grams[place] & LOW) & mask
                while holder[slot] == one:
                    slot = (slot + 1) & mask
                held[slot], holder[slot] = grams[place], one
            before = one
        both = np.int64(0)
        needed = total * threshold / (1 + threshold) - 1e-6
        for place in range(low, high):
            slot = np.int64(grams[place] & LOW) & mask
            while holder[slot] == one:
                if held[slot] == grams[place]:
                    both += 1
                    break
                slot = (slot + 1) & mask
            if both + high - place - 1 < needed:
                both = 0
                break
        other = wholes[one] != wholes[two] and 2 * both == total
        share = both / (total - both + other) if total else 0.0
        out[pair] = share if share >= threshold else 0.0
