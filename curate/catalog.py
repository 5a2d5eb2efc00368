"""The tables in SQL: DuckDB views over the store's Parquet files, and its history.

``connect(store)`` gives an in-memory connection that holds no lock on anything; ``publish(store)`` writes the same views
into ``gristmill.duckdb``, replaced whole, for any other DuckDB client.

The data tables (prompts, completions, scores, decisions, sft, preferences, rl_prompts) show, for every recipe, the
latest run that finished (the latest of all if none did). Trainings and evaluations are history: all of them are shown.
"""

import json
import os
from pathlib import Path

import duckdb

from curate.store import Store
from schemas.rows import HISTORY_TABLES, STAGE_TABLES

DATA = ("prompts", "completions", "scores", "decisions", "sft", "preferences", "rl_prompts")
NAME = "gristmill.duckdb"


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB connection with every table as a view."""
    con = duckdb.connect()
    _define(con, store)
    return con


def publish(store: Store) -> None:
    """Write ``gristmill.duckdb`` anew and put it in the old one's place, so that no reader ever meets half of it."""
    temporary = store.path / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    with duckdb.connect(str(temporary)) as con:
        _define(con, store)
    temporary.replace(store.path / NAME)


def current_stages(store: Store, runs: list[dict]) -> list[str]:
    """The folders of the stages the data tables show, each once, in the order they were used."""
    latest: dict[str, dict] = {}
    for run in runs:
        if run["command"] == "run":
            held = latest.get(run["recipe"])
            if held is None or run["status"] == "finished" or held["status"] != "finished":
                latest[run["recipe"]] = run
    folders = {stage["path"]: None for run in latest.values() for stage in run["stages"]}
    return [f for f in folders if (store.path / "stages" / f / "stage.json").exists()]


def _define(con: duckdb.DuckDBPyConnection, store: Store) -> None:
    runs = store.runs()
    files = _files(store, runs)
    for table, (columns, key) in STAGE_TABLES.items():
        con.execute(f"CREATE VIEW {table} AS {_view(columns, key, files[table])}")
    stages = [stage | {"run_id": run["run_id"], "recipe": run["recipe"]} for run in runs for stage in run["stages"]]
    for table, rows in (("runs", runs), ("stages", stages)):
        columns = HISTORY_TABLES[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        if rows:
            marks = ", ".join("?" for _ in columns)
            con.executemany(f"INSERT INTO {table} VALUES ({marks})", [[_plain(r.get(c)) for c in columns] for r in rows])


def _files(store: Store, runs: list[dict]) -> dict[str, list[list[Path]]]:
    """For each table the files of each stage that wrote it."""
    current = current_stages(store, runs)
    history = [path.name for path in store.stages().values()]
    found: dict[str, list[list[Path]]] = {table: [] for table in STAGE_TABLES}
    manifests: dict[str, dict] = {}
    for name in dict.fromkeys([*current, *history]):
        manifests[name] = json.loads((store.path / "stages" / name / "stage.json").read_text(encoding="utf-8"))["tables"]
    for table in STAGE_TABLES:
        for name in current if table in DATA else history:
            held = manifests[name].get(table)
            if held and held["rows"]:
                found[table].append([store.path / "stages" / name / file for file in held["files"]])
    return found


def _view(columns: dict[str, str], key: tuple[str, ...], stages: list[list[Path]]) -> str:
    """The SELECT behind a view. Rows that several stages hold are shown once, by the table's key."""
    if not stages:
        return "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    paths = ", ".join(_literal(str(file)) for files in stages for file in files)
    rows = f"SELECT * FROM read_parquet([{paths}], union_by_name = true)"
    if len(stages) == 1:
        return rows
    return f"SELECT DISTINCT ON ({', '.join(key)}) * FROM ({rows})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
