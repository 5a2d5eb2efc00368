"""Writes a whole job for the tiny model, and reads the tables that running it makes."""

import json
from pathlib import Path

import polars as pl

from curate.storage.records import RunInfo
from curate.storage.sql_views import connect
from curate.storage.store import Store
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe

TABLES = ("prompts", "completions", "scores", "decisions", "sft", "preferences", "rl_prompts")
COMPLETIONS = """
  - generate: {{use: sample, model: student, n: {n}, max_tokens: {max_tokens}{more}}}
  - score: {{use: length, unit: characters, as: chars}}
  - filter: {{short: "chars < 2"}}
"""
DATASETS = """
  sft: {type: sft, select: best_of_n, by: chars, dedup: exact}
  dpo: {type: preference, select: best_vs_worst, by: chars}
  rl: {type: prompt, by: chars, where: "pass_rate > 0"}
"""


def question(i: int) -> dict[str, str]:
    """Return seed row ``i``; rows differ in length, so that they fall into different batches."""
    return {"prompt": f"answer {i} " + "the cat sings " * (i % 5), "ground_truth": str(i)}


def job(
    folder: Path,
    model: Path,
    rows: list[dict],
    *,
    name: str = "job",
    n: int = 4,
    max_tokens: int = 10,
    more: str = "",
    completions: str | None = None,
    datasets: str = DATASETS,
    batch_tokens: int = 3000,
) -> Recipe:
    """Write seeds and a recipe into ``folder`` and load it. ``more`` are further settings of ``generate``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seeds.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    steps = (completions or COMPLETIONS).format(n=n, max_tokens=max_tokens, more=more and f", {more}")
    (folder / f"{name}.yaml").write_text(
        f"name: {name}\nseed: 5\nmodels:\n  student: {{model: '{model}', batch_tokens: {batch_tokens}}}\n"
        f"prompts:\n  - source: seeds.jsonl\ncompletions:{steps}datasets:{datasets}split: {{test: 0.3}}\n",
        encoding="utf-8",
    )
    return load_recipe(folder / f"{name}.yaml")


OWN = "COLUMNS(lambda name: name <> 'run_id')"  # what a table has beside the run that made a row


def tables(store: Store) -> dict[str, list[tuple]]:
    """Return every data table's rows, sorted, without the run's id. They must not depend on how it was interrupted."""
    with connect(store, None, f"FROM {', '.join(TABLES)}") as con:
        return {table: con.execute(f"SELECT {OWN} FROM {table} ORDER BY ALL").fetchall() for table in TABLES}


def query(store: Store, sql: str) -> pl.DataFrame:
    """Return the result of an SQL query over the store."""
    with connect(store, None, sql) as con:
        result = pl.from_arrow(con.sql(sql).to_arrow_table())
    assert isinstance(result, pl.DataFrame)
    return result


def last_run(store: Store) -> RunInfo:
    """Return the record of the latest run."""
    return store.runs()[-1]
