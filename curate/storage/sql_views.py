"""The tables in SQL: DuckDB views over the store's Parquet files, and tables of its history.

``connect(store)`` returns a connection to a database in memory that holds no lock. ``publish(store)`` writes the same
views into ``gristmill.duckdb`` for any other DuckDB client. A table of which a part is damaged is a view that raises an
error when it is read: it names the part. All other tables are as ever.

The data tables (prompts, completions, scores, decisions, sft, preferences, unpaired, rl_prompts) show, for every
recipe, the latest run that finished, or the latest run if none did. Trainings and evaluations are history: all of them
are shown.
What runs with a limit (smoke runs) made is in the tables only as long as the store has no run of the whole recipe, or
where their name is asked for: ``connect(store, "demo.limit20")``.
"""

import json
import os
import re
from collections import Counter
from pathlib import Path

import duckdb

from curate.storage.damage import Damaged, files_damage, remedy_of, tables_in
from curate.storage.files import sync
from curate.storage.records import RunInfo
from curate.storage.reply_log import costs
from curate.storage.store import Store
from schemas.errors import UserError, unknown
from schemas.rows import HISTORY_TABLES, INTEGER, JSON, NUMBER, STAGE_TABLES, TEXT
from schemas.token_count import MOST_SPENT, token_count

DATA = ("prompts", "completions", "scores", "decisions", "diversity", "sft", "preferences", "unpaired", "rl_prompts")
TABLES = (*STAGE_TABLES, *HISTORY_TABLES)
CATALOGUE = re.compile(r"duckdb_|information_schema|pg_|sqlite_|show\s", re.IGNORECASE)
DOCTOR = "'gristmill doctor' checks the store"
NAME = "gristmill.duckdb"
# DuckDB would download an extension that a query seems to need. INSTALL and LOAD in the query still do it.
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
}
FINISHED = (
    "finished",
    "stopped",
)  # statuses of a run that built its datasets, perhaps from the rows that a budget allowed


def connect(store: Store, recipe: str | None = None, query: str | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory that has every table.

    Args:
        store: The store.
        recipe: The name of a recipe in the store: the tables have what its runs made. None for all recipes.
        query: The query that the tables are for, if it is known: only those that it names are made.

    Raises:
        UserError: The store has no run of this recipe.
    """
    con = duckdb.connect(config=CONFIG)
    _create_tables(con, store, recipe, _named_tables(con, query))
    return con


def publish(store: Store) -> None:
    """Write ``gristmill.duckdb`` and rename it into place, so that no reader ever sees an incomplete file."""
    temporary = store.path / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    with duckdb.connect(str(temporary), config=CONFIG) as con:
        con.execute("BEGIN")  # writes to the disk once, not once for each view
        try:
            _create_tables(con, store, None, TABLES)
            con.execute("COMMIT")
        except duckdb.Error:  # a damaged file has ended the transaction: without one, the other views can be made
            con.execute("ROLLBACK")
            _create_tables(con, store, None, TABLES)
    sync(temporary)
    temporary.replace(store.path / NAME)
    sync(store.path)


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
        Each folder once; those of the latest run come first, in the order in which the run used them. Those that are
        damaged are among them.
    """
    latest: dict[str, RunInfo] = {}
    for run in runs:
        if run["command"] == "run":
            held = latest.get(run["recipe"])
            if held is None or run["status"] in FINISHED or held["status"] not in FINISHED:
                latest[run["recipe"]] = run
    order = {run["run_id"]: place for place, run in enumerate(runs)}
    newest = sorted(latest.values(), key=lambda run: order[run["run_id"]], reverse=True)
    folders = {stage["path"]: None for run in newest for stage in run["stages"]}
    return [folder for folder in folders if (store.path / "stages" / folder).exists()]


def _named_tables(con: duckdb.DuckDBPyConnection, query: str | None) -> tuple[str, ...]:
    """Return the tables that a query names; all of them if it is several statements, or looks at the catalogue."""
    if query is None or CATALOGUE.search(query):
        return TABLES
    try:
        named = {name.lower().split(".")[-1] for name in con.get_table_names(query)}
    except duckdb.Error:
        return TABLES
    return tuple(table for table in TABLES if table in named) or TABLES


def _create_tables(con: duckdb.DuckDBPyConnection, store: Store, recipe: str | None, tables: tuple[str, ...]) -> None:
    """Create these views and tables in a database."""
    runs = store.runs()
    shown = shown_runs(runs, recipe)
    views = [table for table in tables if table in STAGE_TABLES]
    files, damages = _files(store, shown, only=recipe is not None) if views else ({}, {})
    for table in views:
        columns, key = STAGE_TABLES[table]
        _create_view(con, table, damages.get(table), _view(table, columns, key, files[table]), files[table])
    if recipe is not None:
        runs = shown
    for table in (table for table in tables if table in HISTORY_TABLES):
        try:
            _create_history(con, table, _history(store, table, runs, recipe))
        except Damaged as error:  # the log of replies, which has the costs
            con.execute(_refusal(table, str(error)))
        except UserError as error:  # it cannot be opened
            con.execute(_refusal(table, f"{table}: damaged: {error}; {DOCTOR}"))
        except duckdb.Error as error:
            con.execute(_refusal(table, f"{store.path / 'runs'}: damaged: {_first_line(error)}; {DOCTOR}"))


def _create_view(
    con: duckdb.DuckDBPyConnection, table: str, damage: str | None, select: str, stages: list[tuple[str, list[Path]]]
) -> None:
    """Create the view of a table; one that raises an error when it is read, if a part of the table is damaged."""
    if damage is None:
        try:
            con.execute(f"CREATE VIEW {table} AS {select}")
            return
        except duckdb.Error as error:
            found = next(files_damage(file for _, files in stages for file in files), None)
            damage = str(found) if found else f"{table}: damaged: {_first_line(error)}; {DOCTOR}"
    con.execute(_refusal(table, damage))


def _refusal(table: str, message: str) -> str:
    """Return the statement that makes a view with a table's columns which raises an error when it is read."""
    columns = STAGE_TABLES[table][0] if table in STAGE_TABLES else HISTORY_TABLES[table]
    nothing = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
    return f"CREATE VIEW {table} AS SELECT {nothing} WHERE error({_literal(message)})::BOOLEAN"


def _history(store: Store, table: str, runs: list[RunInfo], recipe: str | None) -> list[dict]:
    """Return the rows of a table of the history."""
    if table == "stages":
        return [stage | {"run_id": run["run_id"], "recipe": run["recipe"]} for run in runs for stage in run["stages"]]
    if table == "runs":
        return [dict(run) for run in runs]
    ids = {run["run_id"] for run in runs}
    return [row for row in costs(store) if recipe is None or row["run_id"] in ids]


def _create_history(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict]) -> None:
    """Create a table of the history. If its rows do not fit it, nothing of it is left."""
    columns = HISTORY_TABLES[table]
    source = "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false"
    values: list[str] = []
    if rows:  # as one JSON text: a statement for each row would take most of the time
        values = [json.dumps([{c: _to_sql(row.get(c), kind) for c, kind in columns.items()} for row in rows])]
        source = f"SELECT unnest(from_json(?::JSON, '{json.dumps([columns])}'), recursive := true)"
    con.execute(f"CREATE TABLE {table} AS {source}", values)


def _files(
    store: Store, runs: list[RunInfo], *, only: bool
) -> tuple[dict[str, list[tuple[str, list[Path]]]], dict[str, str]]:
    """Return for each table the label and the files of every stage that wrote it, and what is damaged of tables.

    Args:
        store: The store.
        runs: The runs whose rows are shown.
        only: Whether the history too has only what these runs used, not all but what runs with a limit made.
    """
    current, used = current_stages(store, runs), {stage["path"] for run in runs for stage in run["stages"]}
    whole = {stage.path.name: stage.manifest for stage in store.whole_stages()}
    history = [name for name in whole if name in used or not (only or whole[name]["what"].get("limit"))]
    damages = {
        table: f"{store.path / 'stages' / name}: damaged: its stage.json cannot be read, and it has rows of {table}; "
        f"{remedy_of(store.path / 'stages' / name)}"
        for name in used
        if name not in whole
        for table in tables_in(store.path / "stages" / name)
        if table not in DATA or name in current
    }
    stages: dict[str, list[tuple[str, list[Path]]]] = {table: [] for table in STAGE_TABLES}
    for table in STAGE_TABLES:
        for name in (name for name in current if name in whole) if table in DATA else history:
            held = whole[name]["tables"].get(table)
            if held and held["rows"]:
                files = [store.path / "stages" / name / file for file in held["files"]]
                stages[table].append((whole[name]["label"], files))
    return stages, damages


def _view(table: str, columns: dict[str, str], key: tuple[str, ...], stages: list[tuple[str, list[Path]]]) -> str:
    """Return the SELECT of a view. Of rows with the same key in several stages, it shows the first stage's.

    A column that came after a stage was made is null in its rows.
    """
    in_files = {name: TEXT if kind == JSON else kind for name, kind in columns.items()}
    nothing = "SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in in_files.items()) + " WHERE false"
    if not stages:
        return _with_json(nothing, columns)
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
    return _with_json(" UNION ALL BY NAME ".join(f"({part})" for part in (nothing, *parts)), columns)


def _with_json(select: str, columns: dict[str, str]) -> str:
    """Return a SELECT whose columns of JSON, which are text in the files, have that type."""
    casts = ", ".join(f'"{name}"::JSON AS "{name}"' for name, kind in columns.items() if kind == JSON)
    return f"SELECT * REPLACE ({casts}) FROM ({select})" if casts else select


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


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0][:200]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _to_sql(value: object, kind: str) -> object:
    """Return a value to insert into a column of this type: None for no such number, a mapping as text unless in JSON.

    Records of older versions hold counts that a server made up.
    """
    if kind == INTEGER:
        return token_count(value, MOST_SPENT)
    if kind == NUMBER:
        return value if isinstance(value, int | float) and abs(value) <= MOST_SPENT else None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) and kind != JSON else value
