"""``dedup: minhash`` in parts beside one machine: ``python -m benchmarks.dedup_parts --rows 1000000 --processes 2``.

Texts have planted copies (``benchmarks.planted``). Each way runs in a process of its own, over the same store; the
decisions must be the same, byte for byte. Seconds are by the clock and of the processors, for each phase; beside them
are the peak memory of the largest process (pages of mapped files count), and the bytes that the phases leave.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.measure import ROOT, Row
from benchmarks.planted import parts
from curate.pipeline.dedup import DedupStep, write_in_parts
from curate.pipeline.row_rule import RowRule
from curate.pipeline.stage_spec import RunContext
from curate.spread.spread import run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.steps.find_step import find_step
from curate.storage.row_set import RowSet
from curate.storage.store import Store
from schemas.progress import Progress

ROWS, PROCESSES, SEED = 1_000_000, 2, 2


def processor_time() -> float:
    """Return the processor time of this process, and of the workers that have ended, in seconds."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


class Phases(Progress):
    """Notes how long each phase takes, and what it leaves on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seconds, self.cpu = folder, dict[str, float](), dict[str, float]()
        self.name, self.since, self.used = "", 0.0, 0.0

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """End a phase, and start one."""
        self.close()
        self.name, self.since, self.used = label.rsplit(": ", 1)[-1], time.perf_counter(), processor_time()

    def close(self) -> None:
        """End a phase."""
        if self.name:
            self.seconds[self.name] = self.seconds.get(self.name, 0.0) + time.perf_counter() - self.since
            self.cpu[self.name] = self.cpu.get(self.name, 0.0) + processor_time() - self.used

    def bytes(self) -> dict[str, int]:
        """Return the bytes that each phase has left so far."""
        folders = [folder for folder in self.folder.glob("work/parts-*/*") if folder.is_dir()]
        return {one.name: sum(f.stat().st_size for f in one.rglob("*") if f.is_file()) for one in folders}


def measure(rows: int = ROWS, processes: int = PROCESSES) -> list[Row]:
    """Measure both ways, and say whether they decide the same."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        made = _fresh("make", folder, rows, processes)
        one, parts = (_fresh(way, folder, rows, processes) for way in ("one", "parts"))
    print(json.dumps({**made, "one": one, "parts": parts}, indent=1))
    if one["content"] != parts["content"]:
        raise RuntimeError("the two ways decide differently")
    name = f"minhash in parts, {rows:,} documents, {processes} processes"
    return [
        Row(name, parts["seconds"], "s", "", "one machine", one["seconds"]),
        Row("  processor time", parts["cpu"], "s", "", "one machine", one["cpu"]),
        Row("  peak memory of the largest process", parts["peak"], "MB", "", "one machine", one["peak"]),
    ]


def _fresh(way: str, folder: str, rows: int, processes: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.dedup_parts", "--way", way, "--folder", folder]
    command += ["--rows", str(rows), "--processes", str(processes)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-1000:])
    return json.loads(done.stdout)


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
        seconds, own = time.perf_counter() - started, time.process_time()
        phases.close()
        left = phases.bytes()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "seconds": seconds,
        "cpu": processor_time(),
        "peak": max(one.ru_maxrss for one in used) / 1024,
        "own_cpu": own,
        "own_peak": used[0].ru_maxrss / 1024,
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
