"""Reading a source into a stage's tables, beside DuckDB, which reads the file and writes zstd Parquet.

``python -m benchmarks.sources 1000000`` measures files of so many rows; a row has some 750 bytes.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.measure import ROOT, Row, medians

ROWS, TIMES = 200_000, 3
OURS = """
import sys
from pathlib import Path
from curate.pipeline.source_parts import write_parts
from curate.sources.read_source import SourceOptions
from curate.storage.store import Store
from schemas.progress import Progress
store = Store(sys.argv[2], durable=False)
with store.new_stage("0" * 12, "rows") as writer:
    write_parts(writer, SourceOptions(Path(sys.argv[1])), "rows", Progress())
"""
PEER = """
import duckdb, sys
duckdb.execute(f"COPY (SELECT * FROM '{sys.argv[1]}') TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""


def measure(rows: int = ROWS) -> Iterator[Row]:
    """Medians of 3 in turn, each in a new process, its start included; the same rows in three formats."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _make(folder / "rows.jsonl", rows)
        duckdb.sql(f"COPY (SELECT * FROM '{folder}/rows.jsonl') TO '{folder}/rows.parquet' (FORMAT parquet)")
        duckdb.sql(f"COPY (SELECT * FROM '{folder}/rows.jsonl') TO '{folder}/rows.csv'")
        for ending in ("jsonl", "parquet", "csv"):
            yield from _format(folder, f"rows.{ending}", rows)


def _format(folder: Path, file: str, rows: int) -> Iterator[Row]:
    taken: dict[str, float] = {}

    def ours() -> float:
        subprocess.run(["rm", "-rf", folder / "store"], check=True)
        return _run("ours", OURS, folder / file, folder / "store", taken)

    def peer() -> float:
        return _run("duckdb", PEER, folder / file, folder / "peer.parquet", taken)

    seconds, theirs = medians(ours, peer, times=TIMES)
    yield Row(f"source of {rows:,} rows, {file}", seconds, "s", "<= 1.5 x", "DuckDB", theirs)
    yield Row(
        "  its processor time a row", taken["ours"] / rows * 1e6, "us", "", "DuckDB", taken["duckdb"] / rows * 1e6
    )
    yield Row("  its largest process", taken["ours memory"], "MB", "<= 1000", "DuckDB", taken["duckdb memory"])


def _run(name: str, code: str, source: Path, target: Path, taken: dict[str, float]) -> float:
    """Run code in a new process; note its processor time and the memory of the largest process below it."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    measured = f"{code}\nimport resource\n{MEMORY}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", measured, str(source), str(target)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    taken[name] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    taken[f"{name} memory"] = float(done.stdout.split()[-1])
    return time.perf_counter() - started


MEMORY = """
print(max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024)
"""


def _make(path: Path, rows: int) -> None:
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(2, 10))) for _ in range(5000)]
    with path.open("w", encoding="utf-8") as file:
        for number in range(rows):
            prompt = f"{number} {' '.join(draw.choices(words, k=draw.randint(10, 30)))}?"
            answer = " ".join(draw.choices(words, k=draw.randint(60, 110)))
            file.write(json.dumps({"prompt": prompt, "completion": answer}) + "\n")


if __name__ == "__main__":
    for one in measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
        print(f"{one.name:<48} {one.figure:>9.4g} {one.unit:<4} {one.peer} {one.peer_figure:.4g}", one.ratio)
