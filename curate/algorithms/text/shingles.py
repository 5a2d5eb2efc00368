"""Texts as sets of n-grams, hashed: sketches of all rows, and the true Jaccard similarity of pairs of them.

How words are cut is said in ``curate.algorithms.text.ngrams``. With ``characters`` every character is a word, white space and
punctuation left out. A text of fewer words than ``ngram`` has one n-gram, the whole text, which only an equal text has.
Works on all cores in blocks of rows, so that beside the results only a few blocks of texts are in memory.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.level import level
from curate.algorithms.text.word_bytes import LEVEL

BYTES = 4 << 20  # of text in a block
ROW = 256  # bytes that a row counts for beside those of its text
CONTENT = 4  # the last numbers of a sketch say what words there are, in order


class Grams(NamedTuple):
    """What an n-gram is: of how many words, or of how many ``characters``."""

    ngram: int
    characters: bool


class Bands(NamedTuple):
    """How a sketch is made: so many bands of so many permutations each."""

    count: int
    size: int


def bands(threshold: float, permutations: int, recall: float) -> Bands:
    """The longest bands that find ``recall`` of the pairs at ``threshold``, and no more of them than that takes.

    Of pairs of Jaccard similarity s a share ``1 - (1 - s**size)**count`` is found. Where ``permutations`` are too few
    for the recall, bands are of one permutation each.
    """
    for size in range(permutations, 1, -1):
        together = threshold**size
        count = 1
        while count * size <= permutations and 1 - (1 - together) ** count < recall:
            count += 1
        if count * size <= permutations:
            return Bands(count, size)
    return Bands(permutations, 1)


def sketches(text: pl.Series, grams: Grams, how: Bands, seed: int, size: int = BYTES) -> np.ndarray:
    """Sketch every row: a key a band, then what the text's words are (uint32, rows x (bands + ``CONTENT``)).

    Two rows of Jaccard similarity s have the same key in a band with a chance of ``s**size``. The last four numbers are
    a hash of the words in their order, all 0 for a null or wordless text. The permutations are ``factor * hash +
    offset`` modulo 2**32, with odd factors.
    """
    from curate.algorithms.text.shingle_loops import sketch_rows

    draw = np.random.default_rng(seed)
    factor = draw.integers(0, 1 << 31, how.count * how.size, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    offset = draw.integers(0, 1 << 32, how.count * how.size, dtype=np.uint32)
    out = np.empty((len(text), how.count + CONTENT), np.uint32)
    cuts = blocks(text.str.len_bytes().fill_null(0).to_numpy(), size)

    def work(number: int) -> None:
        low, high = cuts[number]
        data, ends = level(text[low:high])
        sketch_rows(data, ends, TABLE, grams.characters, grams.ngram, factor, offset, out[low:high])

    each(work, range(len(cuts)))
    return out


def gram_sets(text: pl.Series, grams: Grams) -> tuple[np.ndarray, np.ndarray]:
    """The distinct n-grams of each text (hashes, uint64), and where each one's begin and the last one's end (int64)."""
    from curate.algorithms.text.shingle_loops import distinct

    data, ends = level(text)
    hashes, places = np.empty(ends[-1] - ends[0] + 1, np.uint64), np.empty(len(ends), np.int64)
    distinct(data, ends, TABLE, grams.characters, grams.ngram, hashes, places)
    return hashes[: places[-1]], places


def jaccard(
    text: pl.Series, left: np.ndarray, right: np.ndarray, grams: Grams, threshold: float = 0.0, size: int = BYTES
) -> np.ndarray:
    """The true Jaccard similarity of the n-gram sets of rows ``left[i]`` and ``right[i]`` (float64).

    Less than ``threshold`` counts as 0.0, which is found out sooner. Sets are made from the texts again for every block
    of pairs: keep the pairs of a row together.
    """
    from curate.algorithms.text.shingle_loops import jaccards

    out = np.zeros(len(left))
    sizes = text.str.len_bytes().fill_null(0).to_numpy()
    cuts = blocks(sizes[left].astype(np.int64) * (np.diff(left, prepend=-1) != 0) + sizes[right], size)

    def work(number: int) -> None:
        low, high = cuts[number]
        rows, place = np.unique(np.concatenate((left[low:high], right[low:high])), return_inverse=True)
        sets, half = gram_sets(text.gather(rows), grams), high - low
        jaccards(*sets, place[:half], place[half:], threshold, out[low:high])

    each(work, range(len(cuts)))
    return out


def blocks(sizes: np.ndarray, size: int = BYTES) -> list[tuple[int, int]]:
    """Cut rows of so many bytes into blocks of about ``size`` (first row, the one after the last)."""
    work = np.cumsum(sizes.astype(np.int64) + ROW)
    if not len(work):
        return []
    cuts = np.searchsorted(work, np.arange(size, work[-1], size))
    places = np.unique(np.concatenate(([0], cuts, [len(sizes)])))
    return [(int(low), int(high)) for low, high in zip(places[:-1], places[1:], strict=True)]


TABLE = np.frombuffer(LEVEL, np.uint8)
