"""Whole runs at 10k, 100k and 1M recorded candidates, beside DuckDB, which reads the file and writes Parquet.

``python -m benchmarks.scale --most 10000000`` prints the table of docs/scale.md and draws ``docs/images/scale.svg``.
A size needs about 1.5 KB of disk a candidate while it is measured.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import GRISTMILL, ROOT, Row, wall
from benchmarks.scale_plot import plot
from curate.storage.store import Store

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
WARM = 1_000  # candidates of a first run, not counted, in which loops are compiled
USUAL = 1_000_000  # candidates of the largest size that is measured where nothing is said
SAMPLES = 4  # candidates of a prompt
COPIES = 0.06  # of candidates are another's text, half of these with another last word
AT_ONCE = 25_000  # prompts that are made at a time
EVERY = 0.05  # seconds between two looks at the memory
RECIPE = """
name: scale
prompts:
  - source: {path: rows.jsonl}
completions:
  - score: {use: length, unit: words}
  - dedup: exact
  - dedup: {use: minhash}
datasets:
  sft: {type: sft, select: best_of_n, by: length}
  dpo: {type: preference, select: best_vs_worst, by: length}
split: {validation: 0.02, test: 0.05}
"""
QUERIES = {
    "mean by scorer": "SELECT scorer, count(*), avg(value) FROM scores GROUP BY 1",
    "count of a score above 50": "SELECT count(*) FROM scores WHERE value > 50",
    "rows by split": "SELECT split, count(*) FROM sft GROUP BY 1",
}
DUCKDB = """
import duckdb, sys
kinds = "columns = {prompt: 'VARCHAR', completions: 'VARCHAR[]'}, format = 'newline_delimited'"
duckdb.execute(f"COPY (SELECT * FROM read_json(?, {kinds})) TO '{sys.argv[2]}' (COMPRESSION zstd)", [sys.argv[1]])
"""


@dataclass(frozen=True)
class Measured:
    """The time and the memory of a run, all in all and by stage, and the time of its peer.

    Attributes:
        candidates: How many candidates there are.
        seconds: Of the whole command.
        cpu: The seconds that its processes ran: what other work on the machine changes little.
        peak: The most megabytes that all its processes held at a time; pages of files that are in memory are counted.
        own: The most megabytes of these that are no files' pages.
        stages: The seconds of each stage by its label, in order.
        duckdb: The seconds that DuckDB took to read the file and write it as Parquet.
        queries: The seconds of each of ``QUERIES`` by ``gristmill sql``.
    """

    candidates: int
    seconds: float
    cpu: float
    peak: float
    own: float
    stages: dict[str, float]
    duckdb: float
    queries: dict[str, float]


def measure() -> list[Row]:
    """Return the seconds and the memory at each size up to ``USUAL``, one run each."""
    rows = []
    for one in measured(USUAL):
        size = f"{one.candidates:,} candidates"
        rows += [
            Row(f"a run, {size}", one.seconds, "s", "", "DuckDB's copy", one.duckdb),
            Row(f"its memory, {size}", one.peak, "MB"),
            *(Row(f"{query}, {size}", seconds, "s", "2 s") for query, seconds in one.queries.items()),
        ]
    return rows


def measured(most: int) -> Iterator[Measured]:
    """Do the runs of all sizes up to ``most``, each in a store of its own."""
    for size in (WARM, *(one for one in SIZES if one <= most)):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write_candidates(folder / "rows.jsonl", size // SAMPLES)
            (folder / "scale.yaml").write_text(RECIPE)
            parquet = str(folder / "peer.parquet")
            duckdb = wall(sys.executable, "-c", DUCKDB, str(folder / "rows.jsonl"), parquet)
            Path(parquet).unlink()
            seconds, cpu, peak, own = run_watched([*GRISTMILL, "run", "scale.yaml", "--store", "store"], folder)
            stages = {one["stage"]: one["seconds"] for one in Store(folder / "store").runs()[-1]["stages"]}
            store = ("--store", str(folder / "store"))
            queries = {query: wall(*GRISTMILL, "sql", text, *store) for query, text in QUERIES.items()}
            if size > WARM:
                yield Measured(size, seconds, cpu, peak, own, stages, duckdb, queries)


def write_candidates(file: Path, prompts: int) -> None:
    """Write prompts with ``SAMPLES`` recorded answers of 20 to 60 words each, some of which are copies or near ones."""
    draw = np.random.default_rng(0)
    letters = list("abcdefghijklmnoprstuvwy")
    words = pl.Series(["".join(draw.choice(letters, draw.integers(2, 10))) for _ in range(20_000)])
    with file.open("wb") as out:
        for low in range(0, prompts, AT_ONCE):
            count = min(AT_ONCE, prompts - low)
            asked = _texts(draw, words, count, 8, 20) + pl.Series(range(low, low + count)).cast(pl.String)
            answers = _texts(draw, words, count * SAMPLES, 20, 60)
            copied = draw.choice(len(answers), int(COPIES * len(answers)), replace=False)
            others = answers.gather(draw.integers(0, len(answers), len(copied)))
            near = pl.Series(draw.random(len(copied)) < 0.5)
            answers = answers.scatter(copied, others.str.replace(r"\w+$", "zzz").zip_with(near, others))
            lists = pl.DataFrame({"n": np.repeat(np.arange(count), SAMPLES), "completions": answers})
            lists = lists.group_by("n", maintain_order=True).agg("completions")
            pl.DataFrame({"prompt": asked, "completions": lists["completions"]}).write_ndjson(out)


def _texts(draw: np.random.Generator, words: pl.Series, count: int, low: int, high: int) -> pl.Series:
    """Return texts of ``low`` to ``high`` words, a few of which are frequent, as in a language."""
    lengths = draw.integers(low, high + 1, count)
    chosen = np.minimum(draw.pareto(0.7, lengths.sum()) * 20, 1e9).astype(np.int64) % len(words)
    said = pl.DataFrame({"text": np.repeat(np.arange(count), lengths), "word": words.gather(chosen)})
    return said.group_by("text", maintain_order=True).agg(pl.col("word").str.join(" "))["word"]


def run_watched(command: Iterable[str], folder: Path) -> tuple[float, float, float, float]:
    """Run a command; return its seconds, its CPU time, and the most memory of all its processes with and without pages.

    Raises:
        RuntimeError: It fails.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    started, before, peak, own = time.perf_counter(), _cpu(), 0.0, 0.0
    with (folder / "log").open("w") as log:
        running = subprocess.Popen([*command], cwd=folder, env=environment, stdout=log, stderr=log)
        while running.poll() is None:
            held = [_memory(pid) for pid in _family(running.pid)]
            peak = max(peak, sum(whole for whole, _ in held))
            own = max(own, sum(anonymous for _, anonymous in held))
            time.sleep(EVERY)
    if running.returncode:
        raise RuntimeError(f"ended with {running.returncode}: {(folder / 'log').read_text()[-500:]}")
    return time.perf_counter() - started, _cpu() - before, peak, own


def _cpu() -> float:
    """Return the CPU time of all processes that this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _family(pid: int) -> list[int]:
    """Return a process and those that it started, directly or not; only the process where there is no ``/proc``."""
    found = [pid]
    for one in found:
        for children in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, children.read_text().split())
            except OSError:  # it has ended
                continue
    return found


def _memory(pid: int) -> tuple[float, float]:
    """Return the memory of a process with and without files' pages (MB); 0 where it is not known."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    held = {
        name: float(rest.split()[0]) / 1024
        for name, _, rest in (line.partition(":") for line in lines)
        if "RSS" in name.upper()
    }
    return held.get("VmRSS", 0.0), held.get("RssAnon", 0.0)


def table(found: list[Measured]) -> str:
    """Return the measured sizes as a table in Markdown."""
    labels = list(found[-1].stages)
    lines = [
        ("", *(f"{one.candidates:,}" for one in found)),
        ("---", *("---:" for _ in found)),
        *((f"`{label}`", *(f"{one.stages[label]:.1f} s" for one in found)) for label in labels),
        ("the whole command", *(f"{one.seconds:.1f} s" for one in found)),
        ("its CPU time", *(f"{one.cpu:.1f} s" for one in found)),
        ("DuckDB: the file to zstd Parquet", *(f"{one.duckdb:.1f} s" for one in found)),
        ("peak memory", *(f"{one.peak:,.0f} MB" for one in found)),
        ("of that no files' pages", *(f"{one.own:,.0f} MB" for one in found)),
        *((f"`sql`: {query}", *(f"{one.queries[query]:.2f} s" for one in found)) for query in QUERIES),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, print the table, and draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=USUAL, help="candidates of the largest size")
    load, found = os.getloadavg()[0], []
    for one in measured(parser.parse_args().most):
        found.append(one)
        print(json.dumps(one.__dict__), file=sys.stderr, flush=True)
    print(f"load before {load:.1f}, after {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores\n\n{table(found)}")
    points = [(one.candidates, round(one.seconds, 1), round(one.peak)) for one in found]  # as the table has them
    (ROOT / "docs/images/scale.svg").write_text(plot(points), encoding="utf-8")


if __name__ == "__main__":
    main()
