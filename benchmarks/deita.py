"""DEITA's filter beside DEITA's own loop, on ``benchmarks.vectors``; tuned on seed 1, reported on seed 2.

``python -m benchmarks.deita --rows 100000`` runs one size. The loop is that of DEITA's ``CombinedFilter``: for each
row, by score, the largest cosine to all rows kept so far, by one product with their matrix. At 100,000 rows that takes
a quarter of an hour. So the product is timed for every hundredth row, with the rows that a full comparison kept before
it, and multiplied by a hundred: the time of the products, without the rest of the loop. Where ``keep`` stops it, our
step goes on to find the nearest kept row of every row that was not reached; the loop does not.
"""

import argparse
import time

import numpy as np
import polars as pl

from benchmarks.measure import Row
from benchmarks.semantic import column
from benchmarks.vectors import vectors
from curate.select.repr_filter import subset

THRESHOLD, SEED, EVERY = 0.9, 2, 100
SIZES = (20_000, 100_000)


def measure() -> list[Row]:
    """Both sizes, once: as many kept as are far enough, and a tenth of all."""
    ours(vectors(5_000, SEED).vectors, np.arange(5_000.0), 5_000, 0)
    return [row for size in SIZES for row in beside(size)]


def beside(size: int) -> list[Row]:
    """Run one size."""
    made = vectors(size, SEED).vectors
    score = np.random.default_rng(SEED).permutation(size).astype(float)
    rows = []
    full, _, _ = ours(made, score, size, size + 1)
    for keep in (size, size // 10):
        table, summary, seconds = ours(made, score, keep, 0)
        theirs = loop(made, np.argsort(-score), full["kept"].to_numpy(), keep)
        rows.append(Row(f"repr_filter {size:,} x 384, keep {keep:,}", seconds, "s", "0.05", "DEITA's loop", theirs))
        if keep == size:
            out, gone = ~full["kept"].to_numpy(), ~table["kept"].to_numpy()
            share = (out & gone).sum() / out.sum()
            rows.append(Row(f"  of {out.sum():,} ruled out, found ({summary})", share, "share", ">= 0.99"))
    return rows


def ours(made: np.ndarray, score: np.ndarray, keep: int, exact_below: int) -> tuple[pl.DataFrame, str, float]:
    """Return the table of ``repr_filter``, its summary line and the seconds it took."""
    started = time.perf_counter()
    table, summary = subset(column(made), pl.Series(score), keep=keep, threshold=THRESHOLD, exact_below=exact_below)
    return table, summary, time.perf_counter() - started


def loop(made: np.ndarray, order: np.ndarray, stays: np.ndarray, keep: int) -> float:
    """Return the seconds DEITA's loop takes to keep ``keep`` rows, estimated from every hundredth of its products."""
    kept = np.empty((min(keep, int(stays.sum())), made.shape[1]), np.float32)
    count, seconds = 0, 0.0
    for number, row in enumerate(order):
        if number % EVERY == EVERY // 2 and count:
            started = time.perf_counter()
            (kept[:count] @ made[row]).max()
            seconds += time.perf_counter() - started
        if stays[row]:
            kept[count] = made[row]
            count += 1
            if count == len(kept):
                break
    return seconds * EVERY


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=SIZES[1])
    ours(vectors(5_000, SEED).vectors, np.arange(5_000.0), 5_000, 0)
    for row in beside(parser.parse_args().rows):
        ratio = "" if row.ratio is None else f" ({row.peer} {row.peer_figure:.3g} s, ratio {row.ratio:.4f})"
        print(f"{row.name}: {row.figure:.4g} {row.unit}{ratio}")
