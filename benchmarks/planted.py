"""Texts with planted near-duplicates: ``python -m benchmarks.planted FOLDER --rows 10000000 --seed 2`` writes Parquet.

Short documents of 30 to 300 words from a Zipfian vocabulary. Of 100 rows about 60 are originals, 28 are edited copies
of one of a quarter of these, at a Jaccard similarity (of word 5-grams) aimed at between 0.7 and 0.95, and 12 are exact
copies. Half of the edits are words changed here and there, half a new ending. Rows stand in random order.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from curate.algorithms.compiled import compiled

VOCABULARY, ZIPF = 50_000, 1.05
SHORTEST, LONGEST = 30, 300  # words
NGRAM = 5  # words, in which the similarity is aimed at
PART = 50_000  # rows made at a time
ORIGINALS, COPIED, EXACT = 0.6, 0.25, 0.12  # shares: of rows, of the originals, of rows
STREAMS = np.arange(1, 8, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
ONE, TWO, ROOM = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB), np.uint64(512)
A, B, C, D = (np.uint64(shift) for shift in (30, 27, 31, 11))


class Planted(NamedTuple):
    """Texts, and the planted pairs: row numbers of an original and of its copy, edited or exact."""

    text: pl.Series
    original: np.ndarray
    copy: np.ndarray


def planted(rows: int, seed: int) -> Planted:
    """Make ``rows`` texts (String)."""
    made = pl.concat([pl.Series("text", part) for part in parts(rows, seed)], rechunk=True)
    _, copy, original = _plan(rows, seed)
    return Planted(made, original, copy)


def write(folder: Path, rows: int, seed: int) -> None:
    """Write the texts as Parquet files with one column, ``text``; only a part is in memory at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(parts(rows, seed)):
        pq.write_table(pa.table({"text": part}), folder / f"{number:05d}.parquet", compression="zstd")


def parts(rows: int, seed: int) -> Iterator[pa.Array]:
    """The texts, part by part: each row's words are a random stream of its original's number."""
    kind, copy, original = _plan(rows, seed)
    source = np.arange(rows)
    source[copy] = original
    letters, ends = _vocabulary(seed)
    word = _words()
    for low in range(0, rows, PART):
        high = min(rows, low + PART)
        places = np.zeros(high - low + 1, np.int64)
        data = np.empty((high - low) * (LONGEST + 1) * int(np.diff(ends).max() + 1), np.uint8)
        _fill(source[low:high], kind[low:high], low, np.uint64(seed), word, letters, ends, data, places)
        texts = pa.py_buffer(data[: places[-1]].copy())
        yield pa.LargeStringArray.from_buffers(high - low, pa.py_buffer(places), texts)


def _plan(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The kind of each row (0 original, 1 edited, 2 exact), the rows that are copies, and the original of each."""
    draw = np.random.default_rng((seed, 0))
    kind = np.where((share := draw.random(rows)) < ORIGINALS, 0, np.where(share < 1 - EXACT, 1, 2)).astype(np.int8)
    kind[:1] = 0
    originals, copies = np.flatnonzero(kind == 0), np.flatnonzero(kind)
    sources = draw.permutation(originals)[: max(1, int(len(originals) * COPIED))]
    return kind, copies, draw.choice(sources, len(copies))


def _vocabulary(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The letters of all words one after another, and where each word's begin and the last one's end."""
    draw = np.random.default_rng((seed, 1))
    ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(draw.integers(2, 10, VOCABULARY))))
    return draw.choice(np.frombuffer(b"etaoinshrdlucmfwypvbgkjqxz", np.uint8), ends[-1]), ends


def _words() -> np.ndarray:
    """A word for each of 2**20 equal shares, by Zipf's law."""
    share = np.cumsum(np.arange(1, VOCABULARY + 1) ** -ZIPF)
    return np.searchsorted(share / share[-1], (np.arange(1 << 20) + 0.5) / (1 << 20)).astype(np.int64)


@compiled
def _noise(number: int | np.uint64, stream: int, seed: np.uint64) -> float:
    """A random share in [0, 1) of a number: the same number has the same one (splitmix64)."""
    value = np.uint64(number) + STREAMS[stream] + seed * TWO
    value = (value ^ (value >> A)) * ONE
    value = (value ^ (value >> B)) * TWO
    return np.float64((value ^ (value >> C)) >> D) * 2.0**-53


@compiled
def _fill(
    source: np.ndarray,
    kind: np.ndarray,
    low: int,
    seed: np.uint64,
    word: np.ndarray,
    letters: np.ndarray,
    ends: np.ndarray,
    data: np.ndarray,
    places: np.ndarray,
) -> None:
    """Write the texts of a part."""
    used = 0
    for row in range(len(source)):
        size = SHORTEST + int(_noise(source[row], 0, seed) * (LONGEST - SHORTEST + 1))
        target = 0.7 + 0.25 * _noise(low + row, 1, seed)
        surviving = 2 * target / (1 + target)  # share of n-grams that both have
        scattered = _noise(low + row, 2, seed) < 0.5
        changes, last = 1 - surviving ** (1 / NGRAM), size - round((size - NGRAM + 1) * (1 - surviving))
        for place in range(size):
            number = np.uint64(source[row]) * ROOM + np.uint64(place)
            own = np.uint64(low + row) * ROOM + np.uint64(place)
            edited = kind[row] == 1 and (_noise(own, 3, seed) < changes if scattered else place >= last)
            which = word[int((_noise(own, 4, seed) if edited else _noise(number, 5, seed)) * len(word))]
            if place:
                data[used] = 32
                used += 1
            for letter in range(ends[which], ends[which + 1]):
                data[used] = letters[letter]
                used += 1
        places[row + 1] = used


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=2)
    given = parser.parse_args()
    write(given.folder, given.rows, given.seed)
