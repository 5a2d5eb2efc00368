"""Queries over a store with a million scores: ``gristmill sql`` in a fresh process, beside DuckDB on the same files."""

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.measure import GRISTMILL, Row, medians, wall
from curate.pipeline.run_record import stage_entry
from curate.storage.stage import Stage, StageWriter
from curate.storage.store import Store, now

PROMPTS, SAMPLES = 250_000, 4
QUERIES = {
    "mean by scorer": "SELECT scorer, count(*), avg(value) FROM scores GROUP BY 1 ORDER BY 1",
    "ten best completions": """SELECT s.value, c.completion_id, c.response FROM scores s
        JOIN completions c ON c.completion_id = s.row_id WHERE s.scorer = 'quality'
        ORDER BY s.value DESC, c.completion_id LIMIT 10""",
    "decisions by reason": "SELECT stage, kept, reason, count(*) FROM decisions GROUP BY ALL ORDER BY 4 DESC, 1, 2, 3",
}
DUCKDB = """
import sys, duckdb
for table, file in zip(("completions", "scores", "decisions"), sys.argv[2:]):
    duckdb.execute(f"CREATE VIEW {table} AS SELECT * FROM '{file}'")
print(duckdb.sql(sys.argv[1]).fetchall())
"""


def measure() -> list[Row]:
    """Return the medians of 5 for each query and number of score stages; DuckDB alone reads the same Parquet files."""
    rows = []
    for scorers in (("quality",), ("quality", "length")):
        with tempfile.TemporaryDirectory() as name:
            store = Store(Path(name) / "store")
            completions = PROMPTS // len(scorers) * SAMPLES
            files = fill(store, completions, scorers)
            size = f"{completions * len(scorers):,} scores of {len(scorers)} scorer{'s' * (len(scorers) > 1)}"
            for query, text in QUERIES.items():
                rows.append(_row(f"{query}, {size}", text, store, files))
    return rows


def _row(name: str, query: str, store: Store, files: list[str]) -> Row:
    gristmill, duckdb = medians(
        lambda: wall(*GRISTMILL, "sql", query, "--store", str(store.path)),
        lambda: wall(sys.executable, "-c", DUCKDB, query, *files),
        times=5,
    )
    return Row(name, gristmill, "s", "1 s", "duckdb", duckdb)


def fill(store: Store, count: int, scorers: tuple[str, ...]) -> list[str]:
    """Write completions, their scores and the decisions of two filters, as a finished run would.

    Args:
        store: The store to write to.
        count: How many completions.
        scorers: The names of the scorers.

    Returns:
        The globs of the completions, scores and decisions, for DuckDB alone to read.
    """
    draw = np.random.default_rng(0)
    ids = pl.Series([f"c_{value:020x}" for value in draw.permutation(count)])
    stages = [_stage(store, "completions.generate.sample", {"completions": _completions(ids, draw)})]
    for scorer in scorers:
        scores = pl.DataFrame({"row_id": ids, "value": draw.random(count)}).with_columns(scorer=pl.lit(scorer))
        stages.append(_stage(store, f"completions.score.{scorer}", {"scores": scores}))
    for reason in ("truncated", "empty"):
        kept = pl.Series("kept", draw.random(count) > 0.1)
        decisions = pl.DataFrame({"row_id": ids, "kept": kept}).with_columns(
            stage=pl.lit(f"completions.filter.{reason}"), reason=pl.when("kept").then(None).otherwise(pl.lit(reason))
        )
        stages.append(_stage(store, f"completions.filter.{reason}", {"decisions": decisions}))
    store.save_run(
        {
            "run_id": "20260101-000000-000-bench",
            "recipe": "bench",
            "command": "run",
            "status": "finished",
            "started_at": now(),
            "seconds": 0.0,
            "stages": [stage_entry(s, i, reused=False) for i, s in enumerate(stages)],
        }
    )
    return [f"{store.path}/stages/*/{table}-*.parquet" for table in ("completions", "scores", "decisions")]


def _completions(ids: pl.Series, draw: np.random.Generator) -> pl.DataFrame:
    words = np.array(["".join(draw.choice(list("abcdefghij"), 6)) for _ in range(2000)])
    texts = [" ".join(words[row]) for row in draw.integers(0, 2000, (10_000, 30))]
    index = np.arange(len(ids))
    responses = pl.Series(texts).gather(index % len(texts)) + pl.Series(index).cast(pl.String)
    return pl.DataFrame(
        {
            "completion_id": ids,
            "prompt_id": pl.Series(index // SAMPLES).cast(pl.String),
            "sample_index": index % SAMPLES,
            "response": responses,
            "messages": '[{"role": "assistant", "content": "' + responses + '"}]',
            "completion_tokens": draw.integers(1, 64, len(ids)),
        }
    ).with_columns(model=pl.lit("student"), finish_reason=pl.lit("stop"))


def _stage(store: Store, label: str, tables: dict[str, pl.DataFrame]) -> Stage:
    stage_id = f"{label.encode().hex():0<12}"[-12:]
    with store.new_stage(stage_id, label, what={}) as writer:
        _write(writer, tables)
    return writer.stage()


def _write(writer: StageWriter, tables: dict[str, pl.DataFrame]) -> None:
    for table, rows in tables.items():
        for part in rows.iter_slices(50_000):  # as a run does: a file a batch
            writer.write(table, part)
