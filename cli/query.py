"""The commands that query a store: sql, show, why."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import table_names
from cli.options import STORE, RecipeName, StoreFolder, open_store

FORMATS = ("table", "json", "jsonl", "csv", "parquet")


def sql(
    query: Annotated[
        str, typer.Argument(metavar="QUERY", help='Such as "SELECT scorer, avg(value) FROM scores GROUP BY 1".')
    ],
    store: StoreFolder = STORE,
    format: Annotated[
        str, typer.Option("--format", "-f", help=f"The format of the result: {' | '.join(FORMATS)}.")
    ] = "table",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    limit: Annotated[int, typer.Option("--limit", help="The most rows that a table shows.", min=1)] = 40,
    recipe: RecipeName = None,
) -> None:
    """Query the store in SQL (DuckDB's dialect). 'gristmill show' lists the tables."""
    from cli.tables import write
    from curate.storage.sql_views import connect
    from schemas.errors import unknown

    if format not in FORMATS:
        raise unknown("format", format, FORMATS)
    with connect(open_store(store), recipe, query) as con:
        write(con, query, format, output, limit)


def show(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="The name of a table; without it, an overview of all tables.",
            autocompletion=table_names,
        ),
    ] = None,
    store: StoreFolder = STORE,
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows to show.", min=1)] = 10,
    recipe: RecipeName = None,
) -> None:
    """Show what the store holds, or the first rows of one table."""
    from cli.tables import overview, write
    from curate.storage.sql_views import connect
    from schemas.errors import unknown
    from schemas.rows import HISTORY_TABLES, STAGE_TABLES

    tables = [*STAGE_TABLES, *HISTORY_TABLES]
    if table is not None and table not in tables:
        raise unknown("table", table, tables)
    opened = open_store(store)
    with connect(opened, recipe) as con:
        if table is None:
            overview(con, opened, tables)
        else:
            write(con, COSTS if table == "costs" else f"SELECT * FROM {table} LIMIT {rows}", "table", None, rows)


def why(
    id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="The id of a prompt, a completion, a dataset row or a training, or the start of an id; or the name of "
            "a training, such as sft or demo/sft.",
        ),
    ],
    store: StoreFolder = STORE,
    recipe: RecipeName = None,
) -> None:
    """Show the whole history of one row, or of one training.

    Of a row it lists its source, its scores, every decision about it, and the models trained on it; of a training what
    it started from, its settings, its rows and figures, and what uses its model.
    """
    from cli.tables import story
    from curate.storage.row_history import row_history
    from curate.storage.training_history import training_history

    opened = open_store(store)
    story(training_history(opened, id, recipe) or row_history(opened, id, recipe), sys.stdout)


# The costs by recipe and model; the last row is the sum.
COSTS = """
    SELECT coalesce(recipe, 'all') AS recipe, coalesce(model, 'all') AS model, sum(requests)::BIGINT AS requests,
           sum(failed)::BIGINT AS failed, sum(prompt_tokens)::BIGINT AS prompt_tokens,
           sum(completion_tokens)::BIGINT AS completion_tokens, round(sum(seconds), 1) AS seconds,
           round(sum(cost), 4) AS cost
    FROM costs WHERE requests + failed > 0
    GROUP BY GROUPING SETS ((recipe, model), ()) HAVING count(*) > 0 ORDER BY GROUPING(recipe), 1, 2"""
COMMANDS = (sql, show, why)
