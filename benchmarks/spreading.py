"""The parts of a source read on Ray, beside worker processes: ``python -m benchmarks.spreading 200000``.

Both have two workers on this machine, and write the tables of the same parts of 16 MB of JSON Lines. A run pays Ray's
start once; worker processes are started for each stage, so their start is in their time.
"""

import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks.measure import Row, medians
from curate.pipeline.source_parts import PartTask, make_parts
from curate.sources.read_source import SourceOptions, opened_source
from curate.sources.source_parts import PartSpans, parts_of
from curate.spread.ray_tasks import ray_tasks
from curate.spread.spread import Runner, spread
from curate.spread.worker_processes import WorkerProcesses
from tests.spread.tasks import Number, doubled

ROWS, SMALL, TIMES, WORKERS = 200_000, 1000, 3, 2


def measure(rows: int = ROWS) -> Iterator[Row]:
    """Medians of 3 in turn, the same parts on both."""
    with tempfile.TemporaryDirectory() as name, ray_tasks("", WORKERS) as ray:
        folder, here = Path(name), WorkerProcesses(WORKERS)
        parts = _parts(folder / "rows.jsonl", rows)
        started = time.perf_counter()
        list(spread(doubled, [Number(0), Number(1)], runner=ray))
        yield Row("Ray's start, to its first answer", time.perf_counter() - started, "s")
        on_ray, theirs = medians(lambda: _read(parts, folder, ray), lambda: _read(parts, folder, here), times=TIMES)
        yield Row(f"{len(parts)} parts of {rows:,} rows, Ray", on_ray, "s", "", "processes", theirs)
        on_ray, theirs = medians(lambda: _empty(ray), lambda: _empty(here), times=TIMES)
        yield Row(f"{SMALL:,} tasks of nothing, Ray", on_ray, "s", "", "processes", theirs)


def _parts(path: Path, rows: int) -> list[PartSpans]:
    """Write rows, and return the parts of their file."""
    chance, words = random.Random(0), [f"word{n}" for n in range(3000)]
    with open(path, "wb") as file:
        for n in range(rows):
            row = {"prompt": f"{n}: {' '.join(chance.choices(words, k=12))}"}
            row["response"] = " ".join(chance.choices(words, k=80))
            file.write(msgspec.json.encode(row) + b"\n")
    source = SourceOptions(path)
    opened = opened_source(source)
    return parts_of(opened, source.options(opened)) or []


def _read(parts: list[PartSpans], folder: Path, runner: Runner) -> float:
    written = folder / "parts"
    written.mkdir()
    tasks = [PartTask([part], place, str(written), "x") for place, part in enumerate(parts)]
    started = time.perf_counter()
    made = [one for group in spread(make_parts, tasks, written, runner) for one in group]
    assert sum(one.problems.total for one in made) > len(parts)
    seconds = time.perf_counter() - started
    shutil.rmtree(written)
    return seconds


def _empty(runner: Runner) -> float:
    started = time.perf_counter()
    assert len(list(spread(doubled, [Number(n) for n in range(SMALL)], runner=runner))) == SMALL
    return time.perf_counter() - started


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(row)
