"""``dedup: minhash`` in parts beside one machine: ``python -m benchmarks.dedup_parts --rows 1000000 --processes 2``.

Texts have planted copies (``benchmarks.planted``). Each way runs in a process of its own, over the same store; the
decisions must be the same, byte for byte. Seconds are by the clock and of the processors, for each phase; beside them
are the peak memory of the largest process (pages of mapped files count), and the bytes that the phases leave.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import Row
from benchmarks.phases import Phases, beside, figures, fresh
from benchmarks.planted import parts
from curate.pipeline.dedup import DedupStep, write_in_parts
from curate.pipeline.row_rule import RowRule
from curate.pipeline.stage_spec import RunContext
from curate.spread.spread import run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.steps.find_step import find_step
from curate.storage.row_set import RowSet
from curate.storage.store import Store

MODULE = "benchmarks.dedup_parts"
ROWS, PROCESSES, SEED = 1_000_000, 2, 2


def measure(rows: int = ROWS, processes: int = PROCESSES) -> list[Row]:
    """Measure both ways, and say whether they decide the same."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        made = fresh(MODULE, "make", folder, rows, processes)
        one, parts = (fresh(MODULE, way, folder, rows, processes) for way in ("one", "parts"))
    print(json.dumps({**made, "one": one, "parts": parts}, indent=1))
    return beside(f"minhash in parts, {rows:,} documents, {processes} processes", one, parts)


def make(folder: Path, rows: int) -> dict[str, Any]:
    """Write the rows' stage; return how many characters they have."""
    made, characters = 0, 0
    with Store(folder, durable=False).new_stage("rows", "prompts.source.rows") as writer:
        for part in parts(rows, SEED):
            text = pl.Series("prompt", part)
            ids = pl.int_range(made, made + len(text), eager=True).cast(pl.String).str.zfill(16)
            writer.write("prompts", pl.DataFrame({"prompt_id": ids, "prompt": text}))
            made, characters = made + len(text), characters + int(text.str.len_bytes().sum())
    return {"characters": characters}


def decide(folder: Path, in_parts: bool, processes: int) -> dict[str, Any]:
    """Deduplicate the rows; return the figures."""
    store = Store(folder)
    rows = RowSet("prompts", "prompt_id")
    stage = store.stage("rows")
    assert stage is not None
    rows.add(stage)
    phases, step = Phases(folder), find_step("dedup", "minhash")
    with store.new_stage(f"dedup{in_parts}", "dedup") as writer, run_by(WorkerProcesses(processes)):
        started = time.perf_counter()
        rule = RowRule(step, step.defaults | {"ngram": 5, "threshold": 0.75}, "prompt")
        said = write_in_parts(
            writer,
            RunContext(store, phases),
            step=DedupStep(rows, None, ["prompt", "messages"], rule, None, [], "dedup", ""),
            in_parts=in_parts,
        )
        seconds, used = time.perf_counter() - started, figures()
        phases.close()
        left = phases.bytes()
    return used | {
        "seconds": seconds,
        "phases": phases.seconds,
        "phases_cpu": phases.cpu,
        "bytes": left,
        "said": said,
        "content": writer.stage().content("decisions"),
    }


def main() -> None:
    """Measure, or do one way of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--way", choices=["make", "one", "parts"])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.way is None:
        for row in measure(given.rows, given.processes):
            print(f"{row.name:<60} {row.figure:,.1f} {row.unit}  {row.peer} {row.peer_figure:,.1f}")
        return
    found = make(given.folder, given.rows) if given.way == "make" else None
    print(json.dumps(found or decide(given.folder, given.way == "parts", given.processes)))


if __name__ == "__main__":
    main()
