"""The tables in SQL: DuckDB views over the store's Parquet files, and tables of its history.

``connect(store)`` returns a connection to a database in memory that holds no lock. ``publish(store)`` writes the same
views into ``gristmill.duckdb`` for any other DuckDB client.

The data tables (prompts, completions, scores, decisions, sft, preferences, unpaired, rl_prompts) show, for every
recipe, the latest run that finished, or the latest run if none did. Trainings and evaluations are history: all of them
are shown.
What runs with a limit (smoke runs) made is in the tables only as long as the store has no run of the whole recipe, or
where their name is asked for: ``connect(store, "demo.limit20")``.
"""

import json
import os
from collections import Counter
from pathlib import Path

import duckdb

from curate.storage.records import Manifest, RunInfo
from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.errors import unknown
from schemas.rows import HISTORY_TABLES, INTEGER, NUMBER, STAGE_TABLES
from schemas.token_count import MOST_SPENT, token_count

DATA = ("prompts", "completions", "scores", "decisions", "diversity", "sft", "preferences", "unpaired", "rl_prompts")
NAME = "gristmill.duckdb"
FINISHED = (
    "finished",
    "stopped",
)  # statuses of a run that built its datasets, perhaps from the rows that a budget allowed


def connect(store: Store, recipe: str | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory that has every table.

    Args:
        store: The store.
        recipe: The name of a recipe in the store: the tables have what its runs made. None for all recipes.

    Raises:
        UserError: The store has no run of this recipe.
    """
    con = duckdb.connect()
    _create_tables(con, store, recipe)
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


def shown_runs(runs: list[RunInfo], recipe: str | None = None) -> list[RunInfo]:
    """Return the runs whose rows the tables show, of the records of all runs, oldest first.

    Args:
        runs: The records.
        recipe: Only runs of this name; None for all but the runs with a limit of a recipe that has run as a whole. Of a
            recipe that has run with limits only, those with the limit of the latest are shown.

    Raises:
        UserError: There is no run of this name.
    """
    if recipe is not None:
        found = [run for run in runs if run["recipe"] == recipe]
        if not found:
            raise unknown("recipe (in the store) called", recipe, list(dict.fromkeys(run["recipe"] for run in runs)))
        return found
    whole = {run["recipe"] for run in runs if not run.get("limit_of") and run["command"] == "run"}
    latest = {run.get("limit_of"): run["recipe"] for run in runs}
    return [
        run for run in runs if (of := run.get("limit_of")) is None or (of not in whole and run["recipe"] == latest[of])
    ]


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


def _create_tables(con: duckdb.DuckDBPyConnection, store: Store, recipe: str | None = None) -> None:
    """Create all views and tables in a database."""
    runs = store.runs()
    shown = shown_runs(runs, recipe)
    files = _files(store, shown, only=recipe is not None)
    spent = costs(store)
    if recipe is not None:
        runs, ids = shown, {run["run_id"] for run in shown}
        spent = [row for row in spent if row["run_id"] in ids]
    for table, (columns, key) in STAGE_TABLES.items():
        con.execute(f"CREATE VIEW {table} AS {_view(table, columns, key, files[table])}")
    stages = [stage | {"run_id": run["run_id"], "recipe": run["recipe"]} for run in runs for stage in run["stages"]]
    for table, rows in (("runs", runs), ("stages", stages), ("costs", spent)):
        columns = HISTORY_TABLES[table]
        con.execute(f"CREATE TABLE {table} ({', '.join(f'{c} {t}' for c, t in columns.items())})")
        if rows:  # as one JSON text: a statement for each row would take most of the time
            values = json.dumps([{c: _to_sql(row.get(c), kind) for c, kind in columns.items()} for row in rows])
            kinds = json.dumps([columns])
            con.execute(
                f"INSERT INTO {table} SELECT unnest(from_json(?::JSON, '{kinds}'), recursive := true)", [values]
            )


def _files(store: Store, runs: list[RunInfo], *, only: bool) -> dict[str, list[tuple[str, list[Path]]]]:
    """Return for each table the label and the files of every stage that wrote it.

    Args:
        store: The store.
        runs: The runs whose rows are shown.
        only: Whether the history too has only what these runs used, not all but what runs with a limit made.
    """
    current, used = current_stages(store, runs), {stage["path"] for run in runs for stage in run["stages"]}
    history = [path.name for path in store.stages().values()]
    stages: dict[str, list[tuple[str, list[Path]]]] = {table: [] for table in STAGE_TABLES}
    manifests: dict[str, Manifest] = {}
    for name in dict.fromkeys([*current, *history]):
        manifests[name] = json.loads((store.path / "stages" / name / "stage.json").read_text(encoding="utf-8"))
    history = [name for name in history if name in used or not (only or manifests[name]["what"].get("limit"))]
    for table in STAGE_TABLES:
        for name in current if table in DATA else history:
            held = manifests[name]["tables"].get(table)
            if held and held["rows"]:
                files = [store.path / "stages" / name / file for file in held["files"]]
                stages[table].append((manifests[name]["label"], files))
    return stages


def _view(table: str, columns: dict[str, str], key: tuple[str, ...], stages: list[tuple[str, list[Path]]]) -> str:
    """Return the SELECT of a view. Of rows with the same key in several stages, it shows the first stage's.

    A column that came after a stage was made is null in its rows.
    """
    nothing = "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    if not stages:
        return nothing
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
    return " UNION ALL BY NAME ".join(f"({part})" for part in (nothing, *parts))


def _label_is_key(table: str, labels: list[str]) -> bool:
    """Return whether stages of different labels never hold the same row of a table, so that no row need be looked for.

    The label is in the key of a decision (``stage``), of a dataset's row (``dataset``) and of a score (``scorer``),
    except for scores that a source recorded.
    """
    if table == "scores":
        return all(label.split(".")[1] == "score" for label in labels)
    return table in ("decisions", "diversity", "sft", "preferences", "unpaired", "rl_prompts")


def _rows(files: list[Path], more: str = "") -> str:
    """Return a SELECT of the rows of files."""
    paths = ", ".join(_literal(str(file)) for file in files)
    return f"SELECT * FROM read_parquet([{paths}], union_by_name = true{more})"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _to_sql(value: object, kind: str) -> object:
    """Return a value to insert into a column of this type: a list or a mapping as JSON text, None for no such number.

    Records of older versions hold counts that a server made up.
    """
    if kind == INTEGER:
        return token_count(value, MOST_SPENT)
    if kind == NUMBER:
        return value if isinstance(value, int | float) and abs(value) <= MOST_SPENT else None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
