"""Vectors with planted near-duplicates: ``python -m benchmarks.vectors FILE --rows 1000000 --seed 2`` writes float32.

They resemble sentence embeddings (of gsm8k and Alpaca by all-MiniLM-L6-v2, to which they were fitted by eye): a third
of their squared length is in one common direction, the rest falls off with the dimension, and part of it is shared by
the rows of one of 2,000 topics. Two random rows have a cosine of 0.34, one pair in 10,000 has 0.7 or more. A tenth of
the rows are copies of rows up to a block before them, at a cosine of 0.95 to 0.99, and differ from them as rows do from
each other.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

WIDTH, BLOCK = 384, 10_000
COMMON, TOPICS, COPIES = 0.34, 2_000, 0.1
LOW, HIGH = 0.95, 0.99


class Vectors(NamedTuple):
    """Unit vectors (float32, rows x 384), and the planted pairs: row numbers of a row and its copy, and cosines."""

    vectors: np.ndarray
    original: np.ndarray
    copy: np.ndarray
    cosine: np.ndarray


def vectors(rows: int, seed: int) -> Vectors:
    """Return ``rows`` such vectors."""
    return Vectors(*(np.concatenate(parts) for parts in zip(*_blocks(rows, seed), strict=True)))


def write(file: Path, rows: int, seed: int) -> Vectors:
    """Write ``rows`` such vectors to ``file``, a block in memory at a time; return a memory map of it."""
    pairs = []
    with file.open("wb") as out:
        for block, *pair in _blocks(rows, seed):
            block.tofile(out)
            pairs.append(pair)
    return Vectors(
        np.memmap(file, np.float32, "r", shape=(rows, WIDTH)),
        *(np.concatenate(parts) for parts in zip(*pairs, strict=True)),
    )


def _blocks(rows: int, seed: int) -> Iterator[tuple[np.ndarray, ...]]:
    fall = np.arange(2, WIDTH + 2) ** -0.3 * np.exp(-np.arange(WIDTH) / 240)
    fall /= np.linalg.norm(fall)
    start = np.random.default_rng((seed, 0))
    turn, _ = np.linalg.qr(start.standard_normal((WIDTH, WIDTH)))  # so that no axis is better than another
    common = turn[0] * np.sqrt(COMMON)
    topics = start.standard_normal((TOPICS, WIDTH)) * fall
    before = None
    for low in range(0, rows, BLOCK):
        draw, count = np.random.default_rng((seed, 1, low)), min(BLOCK, rows - low)
        share = draw.uniform(0.1, 0.95, (count, 1))
        own = np.sqrt(1 - share) * draw.standard_normal((count, WIDTH)) * fall
        block = _unit(
            common + np.sqrt(1 - COMMON) * (np.sqrt(share) * topics[draw.integers(0, TOPICS, count)] + own) @ turn
        )
        copies = np.sort(draw.permutation(count)[: int(count * COPIES)])
        sources = np.setdiff1d(np.arange(count), copies)
        of = draw.choice(sources, len(copies))
        back = before is not None and low
        source = block[of] if before is None else before[of]
        cosine = draw.uniform(LOW, HIGH, len(copies))[:, None]
        aside = draw.standard_normal((len(copies), WIDTH)) * fall @ turn
        aside = _unit(aside - (aside * source).sum(axis=1, keepdims=True) * source)
        block[copies] = cosine * source + np.sqrt(1 - cosine**2) * aside
        yield block.astype(np.float32), of + (low - BLOCK if back else low), copies + low, cosine[:, 0]
        before = block if count == BLOCK else None


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=2)
    given = parser.parse_args()
    write(given.file, given.rows, given.seed)
