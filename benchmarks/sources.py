"""Reading a source into a stage's tables, beside DuckDB, which reads the file and writes zstd Parquet.

``python -m benchmarks.sources 1000000`` measures files of so many rows; a row has some 750 bytes.
"""

import json
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.measure import Row, medians
from benchmarks.scale import run_watched

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
    taken: dict[str, tuple[float, ...]] = {}

    def run(code: str, target: str) -> float:
        shutil.rmtree(folder / "store", ignore_errors=True)
        taken[target] = run_watched([sys.executable, "-c", code, str(folder / file), str(folder / target)], folder)
        return taken[target][0]

    seconds, theirs = medians(lambda: run(OURS, "store"), lambda: run(PEER, "peer"), times=TIMES)
    (_, cpu, peak, _), (_, their_cpu, their_peak, _) = taken["store"], taken["peer"]
    yield Row(f"source of {rows:,} rows, {file}", seconds, "s", "<= 1.5 x", "DuckDB", theirs)
    yield Row("  its processor time a row", cpu / rows * 1e6, "us", "", "DuckDB", their_cpu / rows * 1e6)
    yield Row("  memory of its processes", peak, "MB", "<= 1000", "DuckDB", their_peak)


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
