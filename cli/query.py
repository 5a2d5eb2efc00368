"""The commands that query a store: sql, show, why."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import column_names, format_names, table_names
from cli.options import STORE, RecipeName, StoreFolder, open_store
from cli.results.formats import FORMATS

Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        help=f"{' | '.join(FORMATS)}; by default what the name of --output ends in, else table.",
        autocompletion=format_names,
    ),
]
Limit = Annotated[int, typer.Option("--limit", help="The most rows that a table shows.", min=1)]


def sql(
    query: Annotated[
        str | None,
        typer.Argument(
            metavar="[QUERY]",
            help='Such as "SELECT scorer, avg(value) FROM scores GROUP BY 1"; several with ; between them. Without it, '
            "what stdin says, or a shell that asks.",
        ),
    ] = None,
    store: StoreFolder = STORE,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", metavar="FILE", help="A file of statements; each is answered.")
    ] = None,
    format: Format = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    limit: Limit = 40,
    recipe: RecipeName = None,
) -> None:
    r"""Query the store in SQL (DuckDB's dialect). 'gristmill show' lists the tables.

    A statement that ends with \\G shows the values of each row one below another.
    """
    from cli.results.answers import answer
    from cli.results.asked import asked_text, chosen_format
    from cli.results.shell import Shell
    from curate.storage.sql_views import connect

    format = chosen_format(format, output)
    text = asked_text(query, file)
    opened = open_store(store)
    if text is None:
        Shell(lambda: connect(opened, recipe), answer, format, limit).loop()
        return
    with connect(opened, recipe, text) as con:
        answer(con, text, format, limit, output)


def show(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="TABLE",
            help="The name of a table, a view or a dataset; without it, an overview of all tables.",
            autocompletion=table_names,
        ),
    ] = None,
    store: StoreFolder = STORE,
    rows: Annotated[
        int | None, typer.Option("--rows", "--limit", "-n", help="How many rows to show: 10, of figures 100.", min=1)
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option("--columns", metavar="A,B", help="The columns to show, or: all.", autocompletion=column_names),
    ] = None,
    format: Format = None,
    recipe: RecipeName = None,
) -> None:
    """Show what the store holds, or rows of a table or a dataset.

    A person is shown the last turn of the conversations in a dataset; --columns all, and the formats for programs, have
    them as they are.
    """
    from cli.results.answers import answer
    from cli.results.asked import chosen_format
    from cli.results.formats import FOR_PEOPLE
    from cli.results.shown_rows import names_read, rows_query
    from cli.tables import overview
    from curate.storage.sql_views import connect
    from schemas.errors import UserError
    from schemas.rows import HISTORY_TABLES, STAGE_TABLES

    if table is None:
        given = {"--rows": rows, "--columns": columns, "--format": format}
        options = [name for name, value in given.items() if value is not None]
        if options:
            raise UserError(f"show: {', '.join(options)}: expected a table, as in: show prompts {options[0]} ...")
    format = chosen_format(format, None)
    opened = open_store(store)
    with connect(opened, recipe, None if table is None else names_read(table)) as con:
        if table is None:
            overview(con, opened, [*STAGE_TABLES, *HISTORY_TABLES])
        else:
            most = rows or (100 if table in FIGURES else 10)
            query = rows_query(con, table, columns, most, texts=format in FOR_PEOPLE)
            answer(con, COSTS if table == "costs" and columns is None else query, format, most)


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
    from curate.storage.training_records import check_trained

    opened = open_store(store)
    found = training_history(opened, id, recipe)
    if found is None:
        check_trained(opened, id)
    story(found or row_history(opened, id, recipe), sys.stdout)


# Tables of figures, of which a person wants to see all.
FIGURES = ("funnel", "leaderboard", "costs", "comparisons", "trainings", "stages")
# The costs by recipe and model; the last row is the sum.
COSTS = """
    SELECT coalesce(recipe, 'all') AS recipe, coalesce(model, 'all') AS model, sum(requests)::BIGINT AS requests,
           sum(failed)::BIGINT AS failed, sum(prompt_tokens)::BIGINT AS prompt_tokens,
           sum(completion_tokens)::BIGINT AS completion_tokens, round(sum(seconds), 1) AS seconds,
           round(sum(cost), 4) AS cost
    FROM costs WHERE requests + failed > 0
    GROUP BY GROUPING SETS ((recipe, model), ()) HAVING count(*) > 0 ORDER BY GROUPING(recipe), 1, 2"""
COMMANDS = (sql, show, why)
