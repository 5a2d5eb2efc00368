"""Pairs of texts that differ in the spelling of some words only: typing errors, and plurals."""

from itertools import pairwise

import numpy as np
import polars as pl

from curate.algorithms.families.components import Pairs
from curate.algorithms.text.ngrams import normalise

LETTERS = r"(?:^| )(\p{L})\p{L}{3,}"  # a word that may be misspelt, and its first letter, which has to be right
LONG = 8  # letters of a word in which two errors may be
WORDS = 4  # words of a text, at the least
MISSPELT = 0.2  # the share of words that may be
CROWD = 20_000  # texts of one key, at the most: of more, which are made from a template, none is looked at


def spelling_keys(text: pl.Series) -> np.ndarray:
    """Return a number of each text (uint64) that texts have in common which differ in spelling; 0 for a short text.

    Of a word of four letters or more it depends on the first letter, of others on all of it.
    """
    words = normalise(text).fill_null("")
    shape = words.str.replace_all(LETTERS, " $1")
    short = (words.str.count_matches(" ") < WORDS - 1).to_numpy()
    return np.where(short, np.uint64(0), np.maximum(shape.hash(seed=0).to_numpy(), np.uint64(1)))


def without_crowds(keys: np.ndarray, most: int = CROWD) -> np.ndarray:
    """Return the keys that at least two texts and at most ``most`` have, and 0 for the others."""
    values, place, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return np.where((values != 0) & (counts > 1) & (counts <= most), values, np.uint64(0))[place]


def spelling_pairs(text: pl.Series, keys: np.ndarray) -> Pairs:
    """Return pairs of texts of one key that differ in the spelling of a fifth of their words at most.

    Of the texts of a key, those are compared that follow each other in their order, and in that of the reversed texts:
    one error is after, or before, all that two texts share.
    """
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], keys[order[1:]] != keys[order[:-1]]])) if len(order) else order
    left, right = [], []
    for low, high in pairwise([*starts.tolist(), len(order)]):
        if high - low < 2 or not keys[order[low]]:
            continue
        rows = order[low:high]
        words = [one.split(" ") for one in normalise(text.gather(rows)).to_list()]
        for way in (words, [one[::-1] for one in words]):
            by = sorted(range(len(rows)), key=way.__getitem__)
            near = [(one, other) for one, other in pairwise(by) if differ_in_spelling(words[one], words[other])]
            left += [rows[one] for one, _ in near]
            right += [rows[other] for _, other in near]
    return np.array(left, np.int64), np.array(right, np.int64)


def differ_in_spelling(one: list[str], other: list[str]) -> bool:
    """Return whether two lists of words are equal but for the spelling of some; equal ones may differ in symbols."""
    if len(one) != len(other):
        return False
    apart = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    return 0 < len(apart) <= max(1, MISSPELT * len(one)) and all(_one_word(*pair) for pair in apart)


def _one_word(one: str, other: str) -> bool:
    """Return whether two words are one within an edit (two in a long word): a letter more, less, other or swapped."""
    most = 2 if min(len(one), len(other)) >= LONG else 1
    if abs(len(one) - len(other)) > most or not (one.isalpha() and other.isalpha()) or len(one) > 40:
        return False
    before, row = [], list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        now = [i]
        for j, its in enumerate(other, 1):
            edits = min(row[j] + 1, now[-1] + 1, row[j - 1] + (letter != its))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == its:
                edits = min(edits, before[j - 2] + 1)
            now.append(edits)
        before, row = row, now
    return row[-1] <= most
