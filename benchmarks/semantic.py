"""Speed, recall and memory of ``dedup: semantic`` beside hnswlib, on the vectors of ``benchmarks.vectors``.

Settings were tuned on seed 1 and are reported on seed 2. ``python -m benchmarks.semantic --rows 1000000 --seed 2
[--peer] [--real FILE.npy]`` runs once on a memory-mapped file of vectors, and prints the peak memory apart from that
file (RssAnon). The peer keeps the first of near rows too: it builds an index of all rows on 2 threads, finds the 10
nearest of each, then goes down the rows. ``found`` is the share of planted pairs, with cosines of 0.95 to 0.99, of
which one row is dropped.
"""

import argparse
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import Row, medians
from benchmarks.vectors import Vectors, vectors, write
from curate.dedup.semantic import dedup

THRESHOLD, SEED = 0.95, 2
RUNS = {20_000: 3, 100_000: 1}
BARS = {100_000: "0.08 of peer", 500_000: "0.05 of peer", 1_000_000: "0.05 of peer"}


def measure() -> list[Row]:
    """Measure 20,000 rows three times in turns with the peer, and 100,000 once."""
    ours(column(vectors(5_000, SEED).vectors), exact_below=0)  # compiles, or loads what was compiled
    return [row for size, times in RUNS.items() for row in _beside(vectors(size, SEED), times)]


def _beside(made: Vectors, times: int) -> list[Row]:
    size, embedding = len(made.vectors), column(made.vectors)
    answers: dict[str, tuple[np.ndarray, str]] = {}
    runs = [_timed(lambda: answers.update(ours=ours(embedding, exact_below=0)))]
    if size == min(RUNS):
        runs.append(_timed(lambda: answers.update(exact=ours(embedding, exact_below=size + 1))))
    if has_hnswlib():
        runs.append(_timed(lambda: answers.update(peer=(hnswlib_keep_first(made.vectors), "its own"))))
    figures = dict(zip(run_names(size), medians(*runs, times=times, warm=False), strict=False))
    peer = ("hnswlib", figures["peer"]) if "peer" in figures else ()
    rows = [Row(f"semantic {size:,} x 384", figures["ours"], "s", BARS.get(size, ""), *peer)]
    if "exact" in figures:
        rows.append(Row(f"  in full, {size:,} x 384", figures["exact"], "s", "", *peer))
    for name, (kept_for, _) in answers.items():
        rows.append(Row(f"  planted pairs found, {name}", share_found(kept_for, made), "share", ">= 0.99"))
    return rows


def run_names(size: int) -> list[str]:
    """Return the names of the runs at a size, in order."""
    return ["ours", *(["exact"] if size == min(RUNS) else []), *(["peer"] if has_hnswlib() else [])]


def column(made: np.ndarray) -> pl.Series:
    """Return vectors as a column, without a copy."""
    return pl.Series("embedding", made, dtype=pl.Array(pl.Float32, made.shape[1]))


def ours(embedding: pl.Series, *, exact_below: int, threshold: float = THRESHOLD) -> tuple[np.ndarray, str]:
    """Return the kept row that each row duplicates (-1 = kept), and the message about the recall."""
    count = len(embedding)
    text, known = pl.repeat("t", count, eager=True), pl.repeat(False, count, eager=True)
    score = pl.repeat(None, count, dtype=pl.Float64, eager=True)
    table, message = dedup(text, embedding, score, known, threshold=threshold, exact_below=exact_below)
    return table["duplicate_of"].fill_null(-1).to_numpy(), message


def hnswlib_keep_first(made: np.ndarray) -> np.ndarray:
    """Return the kept row that each row duplicates (-1 = kept), by hnswlib."""
    import hnswlib

    index = hnswlib.Index("cosine", made.shape[1])
    index.init_index(len(made), M=16, ef_construction=100)
    index.set_num_threads(2)
    index.set_ef(50)
    index.add_items(made)
    labels, distances = index.knn_query(made, k=10)
    near = 1 - distances >= THRESHOLD
    kept_for = np.full(len(made), -1)
    for row in np.flatnonzero(near.sum(axis=1) > 1):
        for other in labels[row][near[row]]:
            if other < row and kept_for[other] < 0:
                kept_for[row] = other
                break
    return kept_for


def has_hnswlib() -> bool:
    """Return whether hnswlib is installed."""
    return find_spec("hnswlib") is not None


def share_found(kept_for: np.ndarray, made: Vectors) -> float:
    """Return the share of planted pairs of which one row or both are dropped."""
    return float(((kept_for[made.original] >= 0) | (kept_for[made.copy] >= 0)).mean())


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return run


class Peak:
    """Measures the peak memory of this process (RssAnon, in MB) every 20 ms while the block runs."""

    def __enter__(self) -> "Peak":
        """Start measuring."""
        self.most, self._done = 0.0, threading.Event()
        self._watch = threading.Thread(target=self._measure)
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop measuring."""
        self._done.set()
        self._watch.join()

    def _measure(self) -> None:
        while not self._done.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            self.most = max(self.most, *(int(line.split()[1]) / 1000 for line in lines if line.startswith("RssAnon")))


def main() -> None:
    """Measure one size once, from a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--peer", action="store_true", help="run hnswlib too, which takes most of the time")
    parser.add_argument("--real", type=Path, help="vectors of your own (.npy, float32), against comparing in full")
    given = parser.parse_args()
    ours(column(vectors(5_000, 1).vectors), exact_below=0)
    if given.real:
        print(*(f"{row.name}: {row.figure:.3f} {row.unit}" for row in real(np.load(given.real))), sep="\n")
        return
    with tempfile.TemporaryDirectory() as folder:
        made = write(Path(folder) / "vectors", given.rows, given.seed)
        embedding, answer = column(made.vectors), []
        with Peak() as peak:
            seconds = _timed(lambda: answer.append(ours(embedding, exact_below=0)))()
        kept_for, message = answer[0]
        print(f"{given.rows:,} rows: {seconds:.1f} s, peak RssAnon {peak.most:.0f} MB", flush=True)
        print(f"found {share_found(kept_for, made):.4f}, {(kept_for >= 0).sum():,} dropped; {message}", flush=True)
        if given.peer:
            started = time.perf_counter()
            kept_for = hnswlib_keep_first(made.vectors)
            theirs = time.perf_counter() - started
            print(f"hnswlib: {theirs:.1f} s, found {share_found(kept_for, made):.4f}; ratio {seconds / theirs:.4f}")


def real(made: np.ndarray) -> list[Row]:
    """Return, for real vectors and several thresholds, the share of the rows dropped in full that buckets drop too."""
    rows, embedding = [], column(made)
    for threshold in (0.95, 0.9, 0.8, 0.7):
        answers = []
        for below in (0, len(made) + 1):
            started = time.perf_counter()
            kept_for, message = ours(embedding, threshold=threshold, exact_below=below)
            answers.append(kept_for >= 0)
            rows.append(Row(f"real at {threshold} ({message})", time.perf_counter() - started, "s"))
        share = (answers[0] & answers[1]).sum() / max(1, answers[1].sum())
        rows.append(Row(f"  of {answers[1].sum()} dropped in full, dropped", share, "share"))
    return rows


if __name__ == "__main__":
    main()
