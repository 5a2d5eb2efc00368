"""The tables in SQL: DuckDB views over the store's Parquet files, and tables of its history.

``connect(store)`` returns a connection to a database in memory that holds no lock. ``publish(store)`` writes the same
views into ``gristmill.duckdb`` for any other DuckDB client. A table of which a part is damaged is a view that raises an
error when it is read: it names the part. All other tables are as ever. Views over the tables, and macros, are those of
``curate.storage.named_views``.

The data tables (prompts, completions, scores, decisions, sft, preferences, unpaired, rl_prompts) show, for every
recipe, the latest run that finished, or the latest run if none did. Trainings and evaluations are history: all of them
are shown.
What runs with a limit (smoke runs) made is in the tables only as long as the store has no run of the whole recipe, or
where their name is asked for: ``connect(store, "demo.limit20")``.
"""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager

import duckdb

from curate.storage.damage import Damaged, files_damage, is_plain, remedy_of, tables_in
from curate.storage.files import sync
from curate.storage.hand_labels import FILE as LABELS_FILE
from curate.storage.history_tables import create_history, history_rows
from curate.storage.named_views import EVERYTHING, FROM_FILES, NAMED, create_named, names_in, scorers_in, with_needs
from curate.storage.records import RunInfo
from curate.storage.store import Store
from curate.storage.table_views import (
    StageFiles,
    by_hand_select,
    decision_history_select,
    embeddings_select,
    in_store_macro,
    nothing_of,
    refusal,
    table_select,
)
from schemas.errors import UserError, unknown
from schemas.rows import (
    BY_HAND,
    DECISION_HISTORY,
    EMBEDDINGS,
    HISTORY_TABLES,
    RUN_TABLES,
    STAGE_TABLES,
    TEXT,
)

DATA = ("prompts", "completions", "scores", "decisions", "diversity", "sft", "preferences", "unpaired", "rl_prompts")
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


def connect(
    store: Store, recipe: str | None = None, query: str | None = None, until: int | None = None
) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory that has every table, view and macro.

    Args:
        store: The store.
        recipe: The name of a recipe in the store: the tables have what its runs made. None for all recipes.
        query: The query that the tables are for, if it is known: only what it names is made.
        until: The number of a run: the tables are as they were after it. None for what there is now.

    Raises:
        UserError: The store has no run of this recipe.
    """
    con = duckdb.connect(config=CONFIG)
    _create_all(con, store, recipe, _named(con, query), movable=False, until=until)
    return con


def publish(store: Store) -> None:
    """Write ``gristmill.duckdb`` and rename it into place, so that no reader ever sees an incomplete file."""
    temporary = store.path / f".{NAME}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    with duckdb.connect(str(temporary), config=CONFIG) as con:
        con.execute("BEGIN")  # writes to the disk once, not once for each view
        try:
            _create_all(con, store, None, EVERYTHING, movable=True)
            con.execute("COMMIT")
        except duckdb.Error:  # a damaged file has ended the transaction: without one, the other views can be made
            con.execute("ROLLBACK")
            _create_all(con, store, None, EVERYTHING, movable=True)
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


def _named(con: duckdb.DuckDBPyConnection, query: str | None) -> tuple[str, ...]:
    """Return what a query names, and what that reads; everything if it names nothing, or looks at the catalogue."""
    if query is None or CATALOGUE.search(query):
        return EVERYTHING
    try:
        named = {name.lower().split(".")[-1] for name in con.get_table_names(query)}
    except duckdb.Error:  # it is several statements, calls a macro, or is wrong
        named = names_in(query)
    return with_needs(named) or EVERYTHING


def _create_all(
    con: duckdb.DuckDBPyConnection,
    store: Store,
    recipe: str | None,
    names: tuple[str, ...],
    *,
    movable: bool,
    until: int | None = None,
) -> None:
    """Create these tables, views and macros in a database, which may be for the store's folder (``movable``)."""
    runs = [run for run in store.runs() if until is None or run["number"] <= until]
    shown = shown_runs(runs, recipe)
    con.execute(in_store_macro(store.path, movable=movable))
    tables = [name for name in names if name in STAGE_TABLES or name in FROM_FILES]
    files, damages = _files(store, shown, only=recipe is not None) if tables else ({}, {})
    for name in tables:
        select, read = _select(store, name, files)
        _create_view(con, store, name, damages.get(name.replace("decision_history", "decisions")), select, read)
    if recipe is not None:
        runs = shown
    for table in (name for name in names if name in HISTORY_TABLES):
        try:
            create_history(con, table, history_rows(store, table, runs, recipe))
        except Damaged as error:  # the log of replies, which has the costs
            con.execute(_refusal(table, str(error)))
        except UserError as error:  # it cannot be opened
            con.execute(_refusal(table, f"{table}: damaged: {error}; {DOCTOR}"))
        except duckdb.Error as error:
            con.execute(_refusal(table, f"{store.path / 'runs'}: damaged: {_first_line(error)}; {DOCTOR}"))
    named = [name for name in names if name in NAMED and name not in FROM_FILES]
    scorers = scorers_in(con) if "candidates" in named else []
    with _without_files(con, tables if movable else []):
        for name in named:
            create_named(con, name, scorers)


@contextmanager
def _without_files(con: duckdb.DuckDBPyConnection, views: list[str]) -> Generator[None]:
    """Let views stand for no rows, with the same columns, for a body that makes others of them.

    DuckDB opens every file of a view for each view that is made of it, which takes longer than all else in a store of
    many files.
    """
    for name in views:
        heads = con.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index", [name]
        ).fetchall()
        con.execute(f"ALTER VIEW {name} RENAME TO {name}_of_files")
        con.execute(f"CREATE VIEW {name} AS {nothing_of(dict(heads))}")
    yield
    for name in views:
        con.execute(f"DROP VIEW {name}")
        con.execute(f"ALTER VIEW {name}_of_files RENAME TO {name}")


def _select(store: Store, name: str, files: dict[str, list[StageFiles]]) -> tuple[str, list[str]]:
    """Return the SELECT of a table or a view over files, and the paths in the store of the files that it reads."""
    if name == "embeddings":
        read = [str(file.relative_to(store.path)) for file in sorted((store.path / name).glob("*/*.parquet"))]
        return embeddings_select(EMBEDDINGS, read), read
    if name == "by_hand":
        read = [LABELS_FILE] if (store.path / LABELS_FILE).exists() else []
        return by_hand_select(BY_HAND, read), read
    read = [file for _, _, paths in files[name] for file in paths]
    if name == "decision_history":
        return decision_history_select(DECISION_HISTORY, files[name]), read
    return table_select(name, _columns(name), STAGE_TABLES[name][1], files[name]), read


def _columns(name: str) -> dict[str, str]:
    """Return the columns of a table, or of a view over files, in SQL."""
    views = {"decision_history": DECISION_HISTORY, "embeddings": EMBEDDINGS, "by_hand": BY_HAND, **HISTORY_TABLES}
    if name in views:
        return views[name]
    return STAGE_TABLES[name][0] | ({"run_id": TEXT} if name in RUN_TABLES else {})


def _create_view(
    con: duckdb.DuckDBPyConnection, store: Store, name: str, damage: str | None, select: str, files: list[str]
) -> None:
    """Create the view of a table; one that raises an error when it is read, if a part of the table is damaged."""
    not_plain = (store.path / file for file in files if not is_plain(store.path / file))  # DuckDB would wait for a pipe
    damage = damage or next((str(one) for one in files_damage(not_plain)), None)
    if damage is None:
        try:
            con.execute(f"CREATE VIEW {name} AS {select}")
            return
        except duckdb.Error as error:
            found = next(files_damage(store.path / file for file in files), None)
            damage = str(found) if found else f"{name}: damaged: {_first_line(error)}; {DOCTOR}"
    con.execute(_refusal(name, damage))


def _refusal(name: str, message: str) -> str:
    """Return the statement that makes a view with a table's columns which raises an error when it is read."""
    return f"CREATE VIEW {name} AS {refusal(_columns(name), message)}"


def _files(store: Store, runs: list[RunInfo], *, only: bool) -> tuple[dict[str, list[StageFiles]], dict[str, str]]:
    """Return for each table the files of every stage that wrote it, and what is damaged of tables.

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
    made_by = _made_by(runs)
    stages: dict[str, list[StageFiles]] = {}
    for view, table in {**{table: table for table in STAGE_TABLES}, "decision_history": "decisions"}.items():
        stages[view] = []
        for name in (name for name in current if name in whole) if view in DATA else history:
            held = whole[name]["tables"].get(table)
            if held and held["rows"]:
                files = [f"stages/{name}/{file}" for file in held["files"]]
                stages[view].append((whole[name]["label"], made_by.get(name), files))
    return stages, damages


def _made_by(runs: list[RunInfo]) -> dict[str, str]:
    """Return the id of the run that made each stage, by the stage's folder; of older records, the first that has it."""
    made: dict[str, str] = {}
    for reused in (False, True):
        for run in runs:
            for stage in run["stages"]:
                if bool(stage.get("reused")) is reused:
                    made.setdefault(stage["path"], run["run_id"])
    return made


def _first_line(error: duckdb.Error) -> str:
    return str(error).partition("\n")[0][:200]
