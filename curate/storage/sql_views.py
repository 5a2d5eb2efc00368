"""The tables in SQL: DuckDB views over the store's Parquet files, and its history.

``connect(store)`` gives an in-memory connection that holds no lock; ``publish(store)`` writes the same views into
``gristmill.duckdb``, replaced whole, for any other DuckDB client.

The data tables (prompts, completions, scores, decisions, sft, preferences, rl_prompts) show, for every recipe, the
latest run that finished (the latest of all if none did). Trainings and evaluations are history: all of them are shown.
"""

import json
import os
from collections import Counter
from pathlib import Path

import duckdb

from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.rows import HISTORY_TABLES, STAGE_TABLES

DATA = ("prompts", "completions", "scores", "decisions", "diversity", "sft", "preferences", "rl_prompts")
NAME = "gristmill.duckdb"
WHOLE = ("finished", "stopped")  # a run that came to its datasets, if with what a budget allowed


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
        con.execute("BEGIN")  # one write to disk, not one a view
        _define(con, store)
        con.execute("COMMIT")
    temporary.replace(store.path / NAME)


def current_stages(store: Store, runs: list[dict]) -> list[str]:
    """The folders of the stages the data tables show, each once: those of the latest run first, in order of use."""
    latest: dict[str, dict] = {}
    for run in runs:
        if run["command"] == "run":
            held = latest.get(run["recipe"])
            if held is None or run["status"] in WHOLE or held["status"] not in WHOLE:
                latest[run["recipe"]] = run
    newest = sorted(latest.values(), key=lambda run: run["run_id"], reverse=True)
    folders = {stage["path"]: None for run in newest for stage in run["stages"]}
    return [f for f in folders if (store.path / "stages" / f / "stage.json").exists()]


def _define(con: duckdb.DuckDBPyConnection, store: Store) -> None:
    runs = store.runs()
    files = _files(store, runs)
    for table, (columns, key) in STAGE_TABLES.items():
        con.execute(f"CREATE VIEW {table} AS {_view(table, columns, key, files[table])}")
    stages = [stage | {"run_id": run["run_id"], "recipe": run["recipe"]} for run in runs for stage in run["stages"]]
    for table, rows in (("runs", runs), ("stages", stages), ("costs", costs(store))):
        columns = HISTORY_TABLES[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        if rows:
            marks = ", ".join("?" for _ in columns)
            con.executemany(
                f"INSERT INTO {table} VALUES ({marks})", [[_plain(r.get(c)) for c in columns] for r in rows]
            )


def _files(store: Store, runs: list[dict]) -> dict[str, list[tuple[str, list[Path]]]]:
    """For each table the label and the files of each stage that wrote it."""
    current = current_stages(store, runs)
    history = [path.name for path in store.stages().values()]
    found: dict[str, list[tuple[str, list[Path]]]] = {table: [] for table in STAGE_TABLES}
    manifests: dict[str, dict] = {}
    for name in dict.fromkeys([*current, *history]):
        manifests[name] = json.loads((store.path / "stages" / name / "stage.json").read_text(encoding="utf-8"))
    for table in STAGE_TABLES:
        for name in current if table in DATA else history:
            held = manifests[name]["tables"].get(table)
            if held and held["rows"]:
                files = [store.path / "stages" / name / file for file in held["files"]]
                found[table].append((manifests[name]["label"], files))
    return found


def _view(table: str, columns: dict[str, str], key: tuple[str, ...], stages: list[tuple[str, list[Path]]]) -> str:
    """The SELECT behind a view. Rows that several stages hold are shown once, by the table's key: the first stage's."""
    if not stages:
        return "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    alone, shared = [], []
    labels = Counter(label for label, _ in stages)
    distinct = _label_is_key(table, list(labels)) or len(stages) == 1
    for label, files in stages:
        (alone if distinct and labels[label] == 1 else shared).extend(files)
    parts = [_rows(alone)] if alone else []
    if shared:
        order = ", ".join(_literal(str(file)) for file in shared)
        parts.append(
            f"SELECT DISTINCT ON ({', '.join(key)}) * EXCLUDE (filename) FROM ({_rows(shared, ', filename = true')}) "
            f"ORDER BY list_position([{order}], filename)"
        )
    return " UNION ALL BY NAME ".join(f"({part})" for part in parts)


def _label_is_key(table: str, labels: list[str]) -> bool:
    """Whether stages of different labels never hold the same row of a table, which spares looking for it.

    The label is in the key of a decision (``stage``), of a dataset's row (``dataset``) and of a score (``scorer``),
    unless the score was recorded in a source.
    """
    if table == "scores":
        return all(label.split(".")[1] == "score" for label in labels)
    return table in ("decisions", "diversity", "sft", "preferences", "rl_prompts")


def _rows(files: list[Path], more: str = "") -> str:
    paths = ", ".join(_literal(str(file)) for file in files)
    return f"SELECT * FROM read_parquet([{paths}], union_by_name = true{more})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _plain(value: object) -> object:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
