"""The tables of a store's history in SQL: its runs, their stages, and what they cost."""

import json

import duckdb

from curate.storage.records import RunInfo
from curate.storage.reply_log import costs
from curate.storage.store import Store
from curate.storage.table_views import nothing_of
from schemas.rows import DATASET_TABLES, HISTORY_TABLES, INTEGER, JSON, NUMBER
from schemas.token_count import MOST_SPENT, token_count


def history_rows(store: Store, table: str, runs: list[RunInfo], recipe: str | None) -> list[dict]:
    """Return the rows of a table of the history: of all recipes, or of the runs of one."""
    if table == "stages":
        return _stages_of_runs(store, runs)
    if table == "runs":
        return [dict(run) for run in runs]
    ids = {run["run_id"] for run in runs}
    return [row for row in costs(store) if recipe is None or row["run_id"] in ids]


def create_history(con: duckdb.DuckDBPyConnection, table: str, rows: list[dict]) -> None:
    """Create a table of the history. If its rows do not fit it, nothing of it is left."""
    columns = HISTORY_TABLES[table]
    source = nothing_of(columns)
    values: list[str] = []
    if rows:  # as one JSON text: a statement for each row would take most of the time
        values = [json.dumps([{c: _to_sql(row.get(c), kind) for c, kind in columns.items()} for row in rows])]
        source = f"SELECT unnest(from_json(?::JSON, '{json.dumps([columns])}'), recursive := true)"
    con.execute(f"CREATE TABLE {table} AS {source}", values)


def _stages_of_runs(store: Store, runs: list[RunInfo]) -> list[dict]:
    """Return the rows of the table ``stages``; records of earlier versions count all tables of a dataset's stage."""
    own = {
        stage.path.name: sum(stage.rows(table) for table in DATASET_TABLES.values())
        for stage in store.stages_labelled("datasets.")
    }
    rows = [(run, stage, own.get(stage["path"], stage.get("rows_out"))) for run in runs for stage in run["stages"]]
    return [
        {**stage, "rows_out": count, "run_id": run["run_id"], "recipe": run["recipe"]} for run, stage, count in rows
    ]


def _to_sql(value: object, kind: str) -> object:
    """Return a value to insert into a column of this type: None for no such number, a mapping as text unless in JSON.

    Records of older versions hold counts that a server made up.
    """
    if kind == INTEGER:
        return token_count(value, MOST_SPENT)
    if kind == NUMBER:
        return value if isinstance(value, int | float) and abs(value) <= MOST_SPENT else None
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) and kind != JSON else value
