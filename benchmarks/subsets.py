"""Diverse subsets beside the plain torch loop (k-center) and apricot (facility location), on ``benchmarks.vectors``.

The steps were tuned on vectors of another kind (a power-law spectrum, 1,000 clusters) and are reported on these, one
seed of ``SEEDS`` a run; also on vectors in all directions alike, where nothing can be skipped. A plain loop takes the
same time for each pick, so the time for 10 % is reported as ten times that for 1 %. ``python -m benchmarks.subsets
--whole`` runs it to its end instead (minutes) and compares the rows that both keep. ``python -m benchmarks.subsets
--rows 1000000 --keep 10000`` runs facility location once on a mapped file and prints its peak memory, the file's pages
in memory included.
"""

import argparse
import functools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

import curate.select.facility_location as facility_location
import curate.select.k_center as k_center
from benchmarks.measure import ROOT, Row
from benchmarks.vectors import vectors, write
from curate.storage.mapped_columns import as_series

SEEDS = (2, 3, 4)
Result = TypeVar("Result")
K_CENTER, COVER = 100_000, 20_000
BARS = {0.01: "0.15 of peer", 0.1: "0.05 of peer"}


def measure() -> list[Row]:
    """Return medians over the seeds; each seed runs once, our step and the peer in turn, if the peer is installed."""
    warm_up()
    return [
        *_k_center("", lambda seed: vectors(K_CENTER, seed).vectors, SEEDS),
        *_k_center(", all directions", lambda seed: alike(K_CENTER, seed), SEEDS[:1]),
        *_facility_location(),
        *_large(),
    ]


def _k_center(kind: str, make: Callable[[int], np.ndarray], seeds: tuple[int, ...], whole: bool = False) -> list[Row]:
    found = {share: [] for share in BARS}
    for seed in seeds:
        made = make(seed)
        for share in BARS:
            count = int(share * len(made))
            ours, (kept, _) = timed(lambda made=made, count=count: kept_of(k_center.subset, made, count))
            asked = count if whole else len(made) // 100
            theirs, picks = timed(lambda made=made, asked=asked: torch_loop(made, asked))
            same = (np.nan,) * 4
            if picks is not None and asked == count:
                same = measures(made, kept) + measures(made, picks)
            found[share].append((ours, theirs * count / asked, *same))
    rows = []
    for share, runs in found.items():
        medians = (statistics.median(some) for some in zip(*runs, strict=True))
        ours, theirs, radius, mean, their_radius, their_mean = medians
        name = f"k_center {share:.0%} of {len(made):,}{kind}"
        rows.append(Row(name, ours, "s", BARS[share], *(("torch loop", theirs) if picks is not None else ())))
        if not np.isnan(radius):
            rows.append(Row("  cosine at the covering radius", radius, "cosine", "same", "torch loop", their_radius))
            rows.append(Row("  mean cosine to the nearest", mean, "cosine", "same", "torch loop", their_mean))
    return rows


def _facility_location() -> list[Row]:
    rows = []
    for count in (COVER // 100, COVER // 10):
        runs = []
        for seed in SEEDS:
            made = vectors(COVER, seed).vectors
            ours, (kept, summary) = timed(lambda made=made, count=count: kept_of(facility_location.subset, made, count))
            theirs, picks = timed(lambda made=made, count=count: apricot(made, count))
            runs.append((ours, measures(made, kept)[1], theirs, picks is not None and measures(made, picks)[1]))
        ours, cover, theirs, their_cover = (statistics.median(some) for some in zip(*runs, strict=True))
        peer = ("apricot", theirs) if picks is not None else ()
        rows.append(Row(f"facility_location {count:,} of {COVER:,}", ours, "s", "0.2 of peer", *peer))
        rows.append(Row("  coverage", cover, "cosine", ">= 0.995 of", *(("apricot", their_cover) if peer else ())))
        rows.append(Row("  at least, of the best possible", float(summary.split("at least ")[1].split()[0]), "share"))
    return rows


def _large() -> list[Row]:
    rows = []
    for count in (1_000, 10_000):
        measured = alone(K_CENTER, count, SEEDS[0])
        rows += [
            Row(f"facility_location {count:,} of {K_CENTER:,}", measured["seconds"], "s"),
            Row("  peak memory, its file's pages included", measured["peak"], "MB", "1000 MB"),
        ]
    return rows


def warm_up() -> None:
    """Compile our loops or load them from the cache; import and compile the peers."""
    for some in (vectors(2_000, 1).vectors, alike(2_000, 1)):
        for step in (k_center.subset, facility_location.subset):
            kept_of(step, some, 20)
        torch_loop(some, 20)
        apricot(some, 20)


def alike(rows: int, seed: int) -> np.ndarray:
    """Return unit vectors in all directions alike."""
    made = np.random.default_rng(seed).standard_normal((rows, 384), np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def kept_of(step: Callable, made: np.ndarray, count: int) -> tuple[np.ndarray, str]:
    """Return the rows that a step keeps, and its summary line."""
    result = step(as_series(made, "embedding"), pl.repeat(None, len(made), dtype=pl.Float64, eager=True), keep=count)
    table, summary = result if isinstance(result, tuple) else (result, "")
    return np.flatnonzero(table["kept"].to_numpy()), summary


def timed(call: Callable[[], Result]) -> tuple[float, Result]:
    """Return the seconds that a call takes, and its result."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def measures(made: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """Return the least and the mean cosine of a row to its nearest kept row; the mean counts cosines below 0 as 0."""
    blocks = (made[low : low + 4096] @ made[kept].T for low in range(0, len(made), 4096))
    near = np.concatenate([block.max(axis=1) for block in blocks])
    return float(near.min()), float(np.maximum(near, 0).mean())


def torch_loop(made: np.ndarray, count: int) -> np.ndarray | None:
    """Run the plain loop of farthest-first picking, a product of all rows a pick; None where torch is missing."""
    try:
        import torch
    except ImportError:
        return None

    rows = torch.from_numpy(made)
    picks = [int((rows @ rows.mean(0)).argmax())]
    near = rows @ rows[picks[0]]
    near[picks[0]] = torch.inf
    while len(picks) < count:
        picks.append(int(near.argmin()))
        torch.maximum(near, rows @ rows[picks[-1]], out=near)
        near[picks[-1]] = torch.inf
    return np.array(picks)


def apricot(made: np.ndarray, count: int) -> np.ndarray | None:
    """Run apricot's lazy greedy on the full graph, negative cosines as 0; None where it is not installed.

    The product of all rows is part of the run. apricot compiles its loops at every fit, 2 to 3 s; here only at the
    first.
    """
    try:
        from apricot import FacilityLocationSelection
        from apricot.functions import facilityLocation as loops
    except ImportError:
        return None
    for name in ("calculate_gains", "calculate_gains_sieve"):
        if not hasattr(getattr(loops, name), "cache_info"):
            setattr(loops, name, functools.cache(getattr(loops, name)))
    return (
        FacilityLocationSelection(count, metric="precomputed", optimizer="lazy")
        .fit(np.maximum(made @ made.T, 0))
        .ranking
    )


def alone(rows: int, count: int, seed: int) -> dict:
    """Run facility location once in a fresh process, on a mapped file: its seconds, peak memory in MB, and summary."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "vectors"
        write(file, rows, seed)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.subsets", "--file", file, "--keep", str(count)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(done.stdout)


def child(file: Path, count: int) -> None:
    """Run facility location on a file of vectors and print the result of ``alone``."""
    made = np.memmap(file, np.float32, "r").reshape(-1, 384)
    kept_of(facility_location.subset, np.ascontiguousarray(made[:2_000]), 20)
    seconds, (_, summary) = timed(lambda: kept_of(facility_location.subset, made, count))
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak": int(peak.split()[1]) / 1000, "summary": summary}))


def main() -> None:
    """Run one of the single runs that the module's text names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--whole", action="store_true", help="run the plain loop of k-center to its end")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--keep", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=SEEDS[0])
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file:
        child(given.file, given.keep)
    elif given.whole:
        warm_up()
        for row in _k_center("", lambda seed: vectors(K_CENTER, seed).vectors, (given.seed,), whole=True):
            peer = "" if row.ratio is None else f"{row.peer} {row.peer_figure:.4g} {row.ratio:.3f}"
            print(f"{row.name:<50} {row.figure:>9.4g} {row.unit:<8} {peer}")
    else:
        print(alone(given.rows, given.keep, given.seed))


if __name__ == "__main__":
    main()
