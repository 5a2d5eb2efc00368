"""``dedup: semantic`` in parts beside one machine: ``python -m benchmarks.semantic_parts --rows 1000000``.

Vectors have planted near-duplicates (``benchmarks.vectors``) and lie in a file. Each way runs in a process of its own;
the decisions must be the same. Seconds are by the clock and of the processors, for each phase; beside them are the
peak memory of the largest process (pages of mapped files count), and the bytes that the phases leave.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.measure import Row
from benchmarks.phases import Phases, beside, figures, fresh
from benchmarks.semantic import column
from benchmarks.vectors import WIDTH, write
from curate.dedup.semantic import dedup
from curate.pipeline.semantic_parts.in_parts import MeaningInParts
from curate.pipeline.semantic_parts.sizes import task_sizes
from curate.pipeline.stage_spec import RunContext
from curate.spread.spread import run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.storage.store import Store

MODULE = "benchmarks.semantic_parts"
ROWS, PROCESSES, SEED = 1_000_000, 2, 2
SETTINGS: dict[str, Any] = {
    "threshold": 0.95,
    "recall": 0.99,
    "exact_below": 20_000,
    "keep": "first",
    "cluster": "keep_first",
    "seed": 0,
}


def measure(rows: int = ROWS, processes: int = PROCESSES) -> list[Row]:
    """Measure both ways, and say whether they decide the same."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        write(Path(folder) / "vectors", rows, SEED)
        one, parts = (fresh(MODULE, way, folder, rows, processes) for way in ("one", "parts"))
    print(json.dumps({"one": one, "parts": parts}, indent=1))
    return beside(f"semantic in parts, {rows:,} vectors, {processes} processes", one, parts)


def decide(folder: Path, in_parts: bool, rows: int, processes: int) -> dict[str, Any]:
    """Deduplicate the vectors; return the figures."""
    vectors = np.memmap(folder / "vectors", np.float32, "r", shape=(rows, WIDTH))
    columns = {
        "text": pl.Series(["x"]).new_from_index(0, rows),
        "embedding": column(vectors),
        "score": pl.Series([None], dtype=pl.Float64).new_from_index(0, rows),
        "known": pl.Series([False]).new_from_index(0, rows),
    }
    store = Store(folder / "store", durable=False)
    phases = Phases(store.path)
    with store.new_stage("dedup", "prompts.dedup.semantic") as writer, run_by(WorkerProcesses(processes)):
        parts = MeaningInParts(writer, RunContext(store, phases), "dedup", task_sizes(rows))
        started = time.perf_counter()
        table, said = parts.dedup(columns, SETTINGS) if in_parts else dedup(*columns.values(), **SETTINGS)
        seconds, used = time.perf_counter() - started, figures()
        phases.close()
        left = phases.bytes()
    return used | {
        "seconds": seconds,
        "phases": phases.seconds,
        "phases_cpu": phases.cpu,
        "bytes": left,
        "said": said,
        "dropped": table["duplicate_of"].count(),
        "content": int(table.hash_rows(seed=0).sum()),
    }


def main() -> None:
    """Measure, or do one way of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--way", choices=["one", "parts"])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.way is None:
        for row in measure(given.rows, given.processes):
            print(f"{row.name:<60} {row.figure:,.1f} {row.unit}  {row.peer} {row.peer_figure:,.1f}")
        return
    print(json.dumps(decide(given.folder, given.way == "parts", given.rows, given.processes)))


if __name__ == "__main__":
    main()
