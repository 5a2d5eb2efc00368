"""MinHash sketches of texts, and the true Jaccard similarity of pairs of texts, over their sets of n-grams.

``curate.algorithms.text.levels`` defines words, its units. With ``characters`` every character of them is a word. The
second time that an n-gram stands in a text it is another one than the first. A text of fewer words than two n-grams
hold without overlap has one n-gram, the whole text, which only an equal text has. Works on all cores in blocks of rows,
so that only a few blocks of texts are in memory beside the results.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.parallel import each
from curate.algorithms.text.levels import Level, levelled_bytes

BYTES = 4 << 20  # bytes of text in a block
ROW = 256  # bytes added for each row when texts are cut into blocks
ROWS = 1 << 17  # texts whose sizes are looked up at a time
CONTENT = 4  # numbers at the end of a sketch that are a hash of the levelled text


class Grams(NamedTuple):
    """The n-grams to take: ``ngram`` words each, or ``ngram`` characters, of texts levelled so."""

    ngram: int
    characters: bool
    level: Level = Level()


class Bands(NamedTuple):
    """The bands of a sketch: how many (``count``), and of how many permutations each (``size``)."""

    count: int
    size: int


def bands(threshold: float, permutations: int, recall: float) -> Bands:
    """Return the longest bands that find the share ``recall`` of pairs at ``threshold``, and as few as that takes.

    Of the pairs of Jaccard similarity s, a share of ``1 - (1 - s**size)**count`` is found. Where ``permutations`` are
    too few for the recall, bands are of one permutation each.
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
    """Return a sketch of each text (uint32, rows x (bands + ``CONTENT``)).

    Two texts of Jaccard similarity s have the same key in a band with a probability of ``s**size``. The permutations
    are ``factor * hash + offset`` modulo 2**32, with odd factors.

    Args:
        text: The texts.
        grams: The n-grams to take.
        how: The bands.
        seed: The seed of the permutations.
        size: Bytes of text in a block; changes no result.

    Returns:
        A key for each band, then ``CONTENT`` numbers: a hash of the levelled text, all 0 for a null or wordless
        text.
    """
    from curate.algorithms.text.shingle_loops import sketch_rows

    draw = np.random.default_rng(seed)
    factor = draw.integers(0, 1 << 31, how.count * how.size, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    offset = draw.integers(0, 1 << 32, how.count * how.size, dtype=np.uint32)
    out = np.empty((len(text), how.count + CONTENT), np.uint32)
    cuts = blocks(text.str.len_bytes().fill_null(0).to_numpy(), size)

    def work(number: int) -> None:
        low, high = cuts[number]
        data, ends = levelled_bytes(text[low:high], grams.level)
        sketch_rows(data, ends, grams.characters, grams.ngram, factor, offset, out[low:high])

    each(work, range(len(cuts)))
    return out


def gram_sets(text: pl.Series, grams: Grams) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the n-grams of each text (uint64), where those of each begin and the last end (int64), a hash of each."""
    from curate.algorithms.text.shingle_loops import distinct_ngrams

    data, ends = levelled_bytes(text, grams.level)
    hashes, places = np.empty(ends[-1] + 1, np.uint64), np.empty(len(ends), np.int64)
    wholes = np.empty(len(text), np.uint64)
    distinct_ngrams(data, ends, grams.characters, grams.ngram, hashes, places, wholes)
    return hashes[: places[-1]], places, wholes


def jaccard(
    text: pl.Series, left: np.ndarray, right: np.ndarray, grams: Grams, threshold: float = 0.0, size: int = BYTES
) -> np.ndarray:
    """Return the true Jaccard similarity of the n-gram sets of rows ``left[i]`` and ``right[i]`` (float64).

    The sets are made from the texts again for every block of pairs: keep the pairs of a row together.

    Args:
        text: The texts.
        left: One row of each pair.
        right: The other row of each pair.
        grams: The n-grams to take.
        threshold: A similarity below it is 0.0 in the result, which takes less time to find out.
        size: Bytes of text in a block; changes no result.
    """
    from curate.algorithms.text.shingle_loops import jaccard_similarities

    out = np.zeros(len(left))
    cuts = blocks(
        sizes_of(text, left).astype(np.int64) * (np.diff(left, prepend=-1) != 0) + sizes_of(text, right), size
    )

    def work(number: int) -> None:
        low, high = cuts[number]
        rows, place = np.unique(np.concatenate((left[low:high], right[low:high])), return_inverse=True)
        sets, half = gram_sets(text.gather(rows), grams), high - low
        jaccard_similarities(*sets, place[:half], place[half:], threshold, out[low:high])

    each(work, range(len(cuts)))
    return out


def sizes_of(text: pl.Series, rows: np.ndarray) -> np.ndarray:
    """Return how many bytes some of the texts have (uint32); 0 for a null one."""
    parts = [text.gather(rows[low : low + ROWS]).str.len_bytes().fill_null(0) for low in range(0, len(rows), ROWS)]
    return np.concatenate([np.zeros(0, np.uint32), *(part.to_numpy() for part in parts)])


def blocks(sizes: np.ndarray, size: int = BYTES) -> list[tuple[int, int]]:
    """Cut rows of the given ``sizes`` in bytes into blocks of about ``size`` bytes: (first row, row after the last)."""
    work = np.cumsum(sizes.astype(np.int64) + ROW)
    if not len(work):
        return []
    cuts = np.searchsorted(work, np.arange(size, work[-1], size))
    places = np.unique(np.concatenate(([0], cuts, [len(sizes)])))
    return [(int(low), int(high)) for low, high in zip(places[:-1], places[1:], strict=True)]
