"""The tables in SQL: DuckDB views over the store's Parquet files, and tables of its history.

``connect(store)`` returns a connection to a database in memory that holds no lock. ``publish(store)`` writes the same
views into ``gristmill.duckdb`` for any other DuckDB client.

The data tables (prompts, completions, scores, decisions, sft, preferences, rl_prompts) show, for every recipe, the
latest run that finished, or the latest run if none did. Trainings and evaluations are history: all of them are shown.
"""

import json
import os
from collections import Counter
from pathlib import Path

import duckdb

from curate.storage.records import Manifest, RunInfo
from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.rows import HISTORY_TABLES, STAGE_TABLES

DATA = ("prompts", "completions", "scores", "decisions", "diversity", "sft", "preferences", "rl_prompts")
NAME = "gristmill.duckdb"
FINISHED = (
    "finished",
    "stopped",
)  # statuses of a run that built its datasets, perhaps from the rows that a budget allowed


def connect(store: Store) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory that has every table."""
    con = duckdb.connect()
    _create_tables(con, store)
    return con


def publish(store: Store) -> None:
    """Write ``gristmill.duckdb`` and rename it into place, so that no reader ever sees an incomplete file."""
    temporary = store.path / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    with duckdb.connect(str(temporary)) as con:
        con.execute("BEGIN")  # writes to the disk once, not once for each view
        _create_tables(con, store)
        con.execute("COMMIT")
    temporary.replace(store.path / NAME)


def current_stages(store: Store, runs: list[RunInfo]) -> list[str]:
    """Return the names of the folders of the stages that the data tables show.

    Args:
        store: The store.
        runs: The records of its runs, oldest first.

    Returns:
        Each folder once; those of the latest run come first, in the order in which the run used them.
    """
    latest: dict[str, RunInfo] = {}
    for run in runs:
        if run["command"] == "run":
            held = latest.get(run["recipe"])
            if held is None or run["status"] in FINISHED or held["status"] not in FINISHED:
                latest[run["recipe"]] = run
    newest = sorted(latest.values(), key=lambda run: run["run_id"], reverse=True)
    folders = {stage["path"]: None for run in newest for stage in run["stages"]}
    return [f for f in folders if (store.path / "stages" / f / "stage.json").exists()]


def _create_tables(con: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Create all views and tables in a database."""
    runs = store.runs()
    files = _files(store, runs)
    for table, (columns, key) in STAGE_TABLES.items():
        con.execute(f"CREATE VIEW {table} AS {_view(table, columns, key, files[table])}")
    stages = [stage | {"run_id": run["run_id"], "recipe": run["recipe"]} for run in runs for stage in run["stages"]]
    for table, rows in (("runs", runs), ("stages", stages), ("costs", costs(store))):
        columns = HISTORY_TABLES[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        if rows:  # as one JSON text: a statement for each row would take most of the time
            values = json.dumps([{c: _to_sql(row.get(c)) for c in columns} for row in rows])
            kinds = json.dumps([columns])
            con.execute(
                f"INSERT INTO {table} SELECT unnest(from_json(?::JSON, '{kinds}'), recursive := true)", [values]
            )


def _files(store: Store, runs: list[RunInfo]) -> dict[str, list[tuple[str, list[Path]]]]:
    """Return for each table the label and the files of every stage that wrote it."""
    current = current_stages(store, runs)
    history = [path.name for path in store.stages().values()]
    stages: dict[str, list[tuple[str, list[Path]]]] = {table: [] for table in STAGE_TABLES}
    manifests: dict[str, Manifest] = {}
    for name in dict.fromkeys([*current, *history]):
        manifests[name] = json.loads((store.path / "stages" / name / "stage.json").read_text(encoding="utf-8"))
    for table in STAGE_TABLES:
        for name in current if table in DATA else history:
            held = manifests[name]["tables"].get(table)
            if held and held["rows"]:
                files = [store.path / "stages" / name / file for file in held["files"]]
                stages[table].append((manifests[name]["label"], files))
    return stages


def _view(table: str, columns: dict[str, str], key: tuple[str, ...], stages: list[tuple[str, list[Path]]]) -> str:
    """Return the SELECT of a view. Of rows with the same key in several stages, it shows the first stage's."""
    if not stages:
        return "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    unique_files, shared_files = [], []
    labels = Counter(label for label, _ in stages)
    distinct = _label_is_key(table, list(labels)) or len(stages) == 1
    for label, files in stages:
        (unique_files if distinct and labels[label] == 1 else shared_files).extend(files)
    parts = [_rows(unique_files)] if unique_files else []
    if shared_files:
        order = ", ".join(_literal(str(file)) for file in shared_files)
        rows = _rows(shared_files, ", filename = true")
        parts.append(
            f"SELECT DISTINCT ON ({', '.join(key)}) * EXCLUDE (filename) FROM ({rows}) "
            f"ORDER BY list_position([{order}], filename)"
        )
    return " UNION ALL BY NAME ".join(f"({part})" for part in parts)


def _label_is_key(table: str, labels: list[str]) -> bool:
    """Return whether stages of different labels never hold the same row of a table, so that no row need be looked for.

    The label is in the key of a decision (``stage``), of a dataset's row (``dataset``) and of a score (``scorer``),
    except for scores that a source recorded.
    """
    if table == "scores":
        return all(label.split(".")[1] == "score" for label in labels)
    return table in ("decisions", "diversity", "sft", "preferences", "rl_prompts")


def _rows(files: list[Path], more: str = "") -> str:
    """Return a SELECT of the rows of files."""
    paths = ", ".join(_literal(str(file)) for file in files)
    return f"SELECT * FROM read_parquet([{paths}], union_by_name = true{more})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _to_sql(value: object) -> object:
    """Return a value to insert: a list or a mapping as JSON text."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
