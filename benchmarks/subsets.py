"""Diverse subsets beside the plain torch loop (k-center) and apricot (facility location), on ``benchmarks.vectors``.

Tuned on vectors of another kind (a power-law spectrum, 1,000 clusters) and reported on these, one seed a run of
``SEEDS``; also on vectors in all directions alike, where nothing can be skipped. The time of a plain loop does not
change from pick to pick: that of 10 % is ten times that of 1 %, unless ``python -m benchmarks.subsets --whole`` runs it
to its end (minutes) and compares what both keep. ``python -m benchmarks.subsets --rows 1000000 --keep 10000`` runs
facility location once on a mapped file and tells its peak memory, the file's pages in memory included.
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

import numpy as np
import polars as pl

from benchmarks.measure import ROOT, Row
from benchmarks.vectors import vectors, write
from curate.select import facility_location, k_center
from curate.storage.mapped_columns import as_series

SEEDS = (2, 3, 4)
K_CENTER, COVER = 100_000, 20_000
BARS = {0.01: "0.15 of peer", 0.1: "0.05 of peer"}


def measure() -> list[Row]:
    """Medians over the seeds; each seed once, ours and the peer's in turn, where the peer is installed."""
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
        said = f"k_center {share:.0%} of {len(made):,}{kind}"
        rows.append(Row(said, ours, "s", BARS[share], *(("torch loop", theirs) if picks is not None else ())))
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
            ours, (kept, said) = timed(lambda made=made, count=count: kept_of(facility_location.subset, made, count))
            theirs, picks = timed(lambda made=made, count=count: apricot(made, count))
            runs.append((ours, measures(made, kept)[1], theirs, picks is not None and measures(made, picks)[1]))
        ours, cover, theirs, their_cover = (statistics.median(some) for some in zip(*runs, strict=True))
        peer = ("apricot", theirs) if picks is not None else ()
        rows.append(Row(f"facility_location {count:,} of {COVER:,}", ours, "s", "0.2 of peer", *peer))
        rows.append(Row("  coverage", cover, "cosine", ">= 0.995 of", *(("apricot", their_cover) if peer else ())))
        rows.append(Row("  at least, of the best possible", float(said.split("at least ")[1].split()[0]), "share"))
    return rows


def _large() -> list[Row]:
    rows = []
    for count in (1_000, 10_000):
        told = alone(K_CENTER, count, SEEDS[0])
        rows += [
            Row(f"facility_location {count:,} of {K_CENTER:,}", told["seconds"], "s"),
            Row("  peak memory, its file's pages included", told["peak"], "MB", "1000 MB"),
        ]
    return rows


def warm_up() -> None:
    """Compile, or load what was compiled, of ours; import and compile the peers."""
    for some in (vectors(2_000, 1).vectors, alike(2_000, 1)):
        for step in (k_center.subset, facility_location.subset):
            kept_of(step, some, 20)
        torch_loop(some, 20)
        apricot(some, 20)


def alike(rows: int, seed: int) -> np.ndarray:
    """Unit vectors in all directions alike."""
    made = np.random.default_rng(seed).standard_normal((rows, 384), np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def kept_of(step: Callable, made: np.ndarray, count: int) -> tuple[np.ndarray, str]:
    """The rows that a step keeps, and what it says."""
    result = step(as_series(made, "embedding"), pl.repeat(None, len(made), dtype=pl.Float64, eager=True), keep=count)
    table, said = result if isinstance(result, tuple) else (result, "")
    return np.flatnonzero(table["kept"].to_numpy()), said


def timed(call: Callable) -> tuple[float, object]:
    """Seconds that a call takes, and what it returns."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def measures(made: np.ndarray, kept: np.ndarray) -> tuple[float, float]:
    """The least and the mean cosine of a row to its nearest kept row; the mean with 0 for those below."""
    blocks = (made[low : low + 4096] @ made[kept].T for low in range(0, len(made), 4096))
    near = np.concatenate([block.max(axis=1) for block in blocks])
    return float(near.min()), float(np.maximum(near, 0).mean())


def torch_loop(made: np.ndarray, count: int) -> np.ndarray | None:
    """The plain loop of farthest-first picking: a product of all rows with every pick. None where torch is missing."""
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
    """The full graph's lazy greedy, negative cosines as 0; the product is part of it. None where it isn't installed.

    It compiles its loops at every fit, 2 to 3 s; here only at the first.
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
    """Facility location once in a fresh process, on a mapped file: its seconds, peak memory in MB, and line."""
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
    """Run facility location on a file of vectors and print what ``alone`` returns."""
    made = np.memmap(file, np.float32, "r").reshape(-1, 384)
    kept_of(facility_location.subset, np.ascontiguousarray(made[:2_000]), 20)
    seconds, (_, said) = timed(lambda: kept_of(facility_location.subset, made, count))
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    print(json.dumps({"seconds": seconds, "peak": int(peak.split()[1]) / 1000, "said": said}))


def main() -> None:
    """One of the single runs that the module's text names."""
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
