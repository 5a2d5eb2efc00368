"""Choosing from a million candidates of 250,000 prompts: the rules alone, whole datasets, and their peak memory.

A dataset's stage runs in a fresh process, so that its peak memory is its own: decisions about every candidate and the
rows with their texts are written as in any run. The peer is DuckDB reading the same Parquet files and writing the same
choice as one file, without the decisions.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from benchmarks.measure import Row, medians, wall
from curate.datasets.build import dataset_stage
from curate.pipeline.run_state import RunState
from curate.pipeline.source_reader import SourceReader
from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.steps.find_step import find_step
from curate.steps.settings import check_settings
from curate.storage.stage import load_stage
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.progress import Progress

CHILD = "import sys; from benchmarks.select import child; child(*sys.argv[1:])"
SAMPLES, SIZES = 4, (100_000, 1_000_000)
RULES = {
    "best_of_n": {},
    "rejection": {"at": 0.5, "per_prompt": 2},
    "top_k_overall": {"keep": 0.25},
    "weighted": {},
    "best_vs_worst": {},
    "best_vs_random": {},
    "margin": {"low": 0.2, "high": 0.5},
    "mu_minus_2sigma": {},
    "ranked": {},
}
VIEWS = {
    "sft": "{type: sft, select: best_of_n}",
    "where": "{type: sft, select: best_of_n, where: 'length(response) > 100 and quality > 0.2'}",
    "dpo": "{type: preference, select: best_vs_worst}",
    "band": "{type: preference, select: best_vs_worst, length_band: 0.8}",
    "near": "{type: preference, select: best_vs_worst, max_similarity: 0.8}",
    "rl": "{type: prompt, by: quality, where: quality_mean > 0.4}",
}
PEERS = {
    "best_of_n": """SELECT completion_id FROM c JOIN s ON s.row_id = c.completion_id
        QUALIFY row_number() OVER (PARTITION BY prompt_id ORDER BY value DESC, completion_id) = 1""",
    "best_vs_worst": """SELECT prompt_id, arg_max(completion_id, value), arg_min(completion_id, value)
        FROM c JOIN s ON s.row_id = c.completion_id GROUP BY prompt_id HAVING max(value) > min(value)""",
    "sft": """SELECT c.prompt_id, completion_id, p.messages AS prompt, c.messages AS completion, value AS score
        FROM c JOIN s ON s.row_id = c.completion_id JOIN p ON p.prompt_id = c.prompt_id
        QUALIFY row_number() OVER (PARTITION BY c.prompt_id ORDER BY value DESC, completion_id) = 1""",
    "dpo": """WITH pairs AS (SELECT prompt_id, arg_max(completion_id, value) AS yes, arg_min(completion_id, value) AS no
        FROM c JOIN s ON s.row_id = c.completion_id GROUP BY prompt_id HAVING max(value) > min(value))
        SELECT p.prompt_id, p.messages AS prompt, a.messages AS chosen, b.messages AS rejected FROM pairs
        JOIN p USING (prompt_id) JOIN c a ON a.completion_id = yes JOIN c b ON b.completion_id = no
        WHERE a.response <> b.response""",
}


def measure() -> list[Row]:
    """Medians of 3: each rule alone at a million, each dataset at a hundred thousand and at a million."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        for size in SIZES:
            folder = Path(name) / str(size)
            files = fill(Store(folder), size)
            if size == max(SIZES):
                rows += _rules(files)
            for view in (*VIEWS, "none"):
                rows += _view(folder, files, view, size)
    return rows


def _rules(files: dict[str, str]) -> list[Row]:
    """The rules on columns in memory; the peers read the ids and scores they need from disk into memory first."""
    with duckdb.connect() as con:
        for table, path in files.items():
            columns = {"c": "completion_id, prompt_id", "s": "row_id, value", "p": "prompt_id"}[table]
            con.execute(f"CREATE TABLE {table} AS SELECT {columns} FROM '{path}'")
        frame = con.sql("SELECT prompt_id, completion_id, value FROM c JOIN s ON row_id = completion_id").pl()
        columns = {"prompt_id": frame["prompt_id"], "completion_id": frame["completion_id"], "score": frame["value"]}
        rows = []
        for rule, given in RULES.items():
            step = find_step("select", rule)
            settings = check_settings(step, given, "")
            runs = [_timed(lambda step=step, settings=settings: step.call(columns, settings))]
            if rule in PEERS:
                runs.append(_timed(lambda rule=rule: con.sql(PEERS[rule]).to_arrow_table()))
            figures = medians(*runs, times=3)
            rows.append(
                Row(
                    f"select {rule} of {len(frame):,} candidates",
                    figures[0],
                    "s",
                    "3 s",
                    *(("duckdb", figures[1]) if len(figures) > 1 else ()),
                )
            )
    return rows


def _view(folder: Path, files: dict[str, str], view: str, size: int) -> list[Row]:
    runs, peaks = [], []

    def ours() -> float:
        out = folder / "out.json"
        wall(sys.executable, "-c", CHILD, str(folder), view, str(out))
        told = json.loads(out.read_text())
        peaks.append(told["peak"])
        return told["seconds"]

    runs.append(ours)
    if view in PEERS:
        runs.append(_timed(lambda: _duckdb(files, PEERS[view], folder / "peer.parquet")))
    figures = medians(*runs, times=3)
    said = f"dataset {view} of {size:,} candidates" if view in VIEWS else f"no dataset, {size:,} candidates"
    target = "3 s" if view in ("sft", "dpo") and size == max(SIZES) else ""
    rows = [Row(said, figures[0], "s", target, *(("duckdb", figures[1]) if len(figures) > 1 else ()))]
    return (rows if view in VIEWS else []) + [Row(f"  peak memory, {said}", sorted(peaks)[len(peaks) // 2], "MB")]


def _timed(call: Callable[[], object]) -> Callable[[], float]:
    def run() -> float:
        started = time.perf_counter()
        call()
        return time.perf_counter() - started

    return run


def _duckdb(files: dict[str, str], query: str, out: Path) -> None:
    with duckdb.connect() as con:
        for table, path in files.items():
            con.execute(f"CREATE VIEW {table} AS SELECT * FROM '{path}'")
        con.execute(f"COPY ({query}) TO '{out}' (COMPRESSION zstd)")


def fill(store: Store, count: int) -> dict[str, str]:
    """Write prompts, ``count`` completions of about 200 characters and their scores; returns the files of each."""
    draw = np.random.default_rng(0)
    words = np.array(["".join(draw.choice(list("abcdefghij"), 6)) for _ in range(2000)])
    texts = pl.Series([" ".join(words[row]) for row in draw.integers(0, 2000, (10_000, 30))])
    index = np.arange(count)
    prompts = pl.Series([f"p_{value:020x}" for value in draw.permutation(count // SAMPLES)])
    ids = pl.Series([f"c_{value:020x}" for value in draw.permutation(count)])
    responses = texts.gather(index % len(texts)) + " " + pl.Series(index * 7919).cast(pl.String)
    asked = texts.gather(np.arange(len(prompts)) % len(texts))
    tables = {
        "prompts": pl.DataFrame(
            {"prompt_id": prompts, "prompt": asked, "messages": '[{"role": "user", "content": "' + asked + '"}]'}
        ),
        "completions": pl.DataFrame(
            {
                "completion_id": ids,
                "prompt_id": prompts.gather(index // SAMPLES),
                "sample_index": index % SAMPLES,
                "response": responses,
                "messages": '[{"role": "assistant", "content": "' + responses + '"}]',
            }
        ).with_columns(model=pl.lit("student"), completion_tokens=pl.lit(60)),
        "scores": pl.DataFrame({"row_id": ids, "value": draw.random(count)}).with_columns(scorer=pl.lit("quality")),
    }
    for number, (table, rows) in enumerate(tables.items()):
        with store.new_stage(f"{number:012d}", table, what={}) as writer:
            writer.write(table, rows)
    return {table[0]: f"{store.path}/stages/{table}-*/{table}-*.parquet" for table in tables}


def child(folder: str, view: str, out: str) -> None:
    """Make one dataset in this process; write the seconds of its stage and the process's peak memory in MB."""
    Path(out).write_text(json.dumps(one(Path(folder), view)))


def one(folder: Path, view: str) -> dict[str, float]:
    """Make one dataset of a store of ``fill``; returns its stage's seconds and this process's peak memory in MB."""
    store = Store(folder)
    stages = {path.name.split("-")[0]: load_stage(path) for path in store.stages().values()}
    (folder / "r.yaml").write_text(
        f"name: bench\nprompts:\n  - source: seeds.jsonl\ndatasets: {{view: {VIEWS.get(view, '{type: sft}')}}}\n"
    )
    state = RunState(load_recipe(folder / "r.yaml"), store, SourceReader())
    state.prompts.add(stages["prompts"])
    state.completions.add(stages["completions"])
    state.completions.scores["quality"] = [stages["scores"]]
    started = time.perf_counter()
    if view in VIEWS:
        _build_unkept(dataset_stage(state, "view", state.recipe.datasets["view"]), store)
    seconds = time.perf_counter() - started
    # Not getrusage's maximum: that of a process's parent counts for it.
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return {"seconds": seconds, "peak": int(peak.split()[1]) / 1000}


def _build_unkept(spec: StageSpec, store: Store) -> None:
    """Write a stage, and leave it out of the store."""
    try:
        with store.new_stage("f" * 12, spec.label, what={}) as writer:
            spec.build(writer, RunContext(store, Progress()))
            writer.finish()
            raise InterruptedError
    except InterruptedError:
        return
