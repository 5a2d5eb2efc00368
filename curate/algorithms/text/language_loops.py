"""Compiled loops that read texts byte by byte through py3langid's automaton, and add up the weights of its features."""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.letter_classes import LETTER
from curate.algorithms.text.text_loops import character, longest_text, stand_in

SIDE_BY_SIDE = 16  # texts


@compiled
def count_letters(data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, most: int, out: np.ndarray) -> None:
    """Fill ``out`` with the bytes of each text's letters and marks, counted up to ``most`` or a few more."""
    for row in range(len(out)):
        at, end, found = ends[row], ends[row + 1], 0
        while at < end and found < most:
            code, after = character(data, at)
            if kinds[stand_in(code)] & LETTER:
                found += after - at
            at = after
        out[row] = found


@compiled
def find_features(
    data: np.ndarray,
    ends: np.ndarray,
    order: np.ndarray,
    first: np.ndarray,
    after: np.ndarray,
    feature: np.ndarray,
    found: np.ndarray,
) -> None:
    """Fill ``found`` with the feature that ends at each byte of the texts, or -1.

    Sixteen texts are read side by side: the automaton is far larger than a cache, and a step of one text waits for
    memory while the others take theirs. ``order`` lists the texts by falling length.
    """
    states = np.zeros(SIDE_BY_SIDE, np.int64)
    for low in range(0, len(order), SIDE_BY_SIDE):
        some = order[low : low + SIDE_BY_SIDE]
        states[:] = 0
        reading, place = len(some), 0
        while True:
            while reading and ends[some[reading - 1] + 1] - ends[some[reading - 1]] <= place:
                reading -= 1
            if reading == 0:
                break
            for lane in range(reading):
                at = ends[some[lane]] + place
                states[lane] = after[first[states[lane]] + data[at]]
                found[at] = feature[states[lane]]
            place += 1


@compiled
def add_weights(found: np.ndarray, ends: np.ndarray, weights: np.ndarray, prior: np.ndarray, out: np.ndarray) -> None:
    """Fill a row of ``out`` (zeros) for each text: its score for each language; a text without features keeps zeros.

    A feature that occurs n times counts log(1 + n) times. The texts that have a feature are processed together, so
    that its weights, of a table far larger than a cache, are fetched once. Sums are of 64 bits, so that their order
    hardly matters.
    """
    logs = np.log1p(np.arange(longest_text(ends, 0, len(out)) + 1.0))
    begins = np.zeros(len(weights) + 1, np.int32)
    low, high = ends[0], ends[-1]
    for at in range(low, high):
        if found[at] >= 0:
            begins[found[at] + 1] += 1
    for one in range(len(weights)):
        begins[one + 1] += begins[one]
    owner, place = np.empty(begins[-1], np.int32), begins[:-1].copy()
    total = np.zeros((len(out), len(prior)))
    for row in range(len(out)):
        any_found = False
        for at in range(ends[row], ends[row + 1]):
            if found[at] >= 0:
                owner[place[found[at]]] = row
                place[found[at]] += 1
                any_found = True
        if any_found:
            total[row] = prior
    for one in range(len(weights)):
        at, end = begins[one], begins[one + 1]
        while at < end:
            row, times = owner[at], 0
            while at < end and owner[at] == row:
                times += 1
                at += 1
            for language in range(len(prior)):
                total[row, language] += logs[times] * weights[one, language]
    out[:] = total
