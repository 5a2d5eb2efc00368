"""The command that compares two runs: diff."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cli.completion import run_names
from cli.options import STORE, StoreFolder, open_store
from cli.terminal import json_text, say

if TYPE_CHECKING:
    import polars as pl

    from curate.storage.run_changes import RunChanges


def diff(
    first: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN]",
            help="The start of a run's id ('gristmill show runs'), or a recipe's name.",
            autocompletion=run_names,
        ),
    ] = None,
    second: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="The run to compare it with.", autocompletion=run_names),
    ] = None,
    store: StoreFolder = STORE,
    rows: Annotated[int, typer.Option("--rows", "-n", help="How many rows of each kind to show.", min=0)] = 5,
    json: Annotated[bool, typer.Option("--json", help="Print all rows, as one JSON object.")] = False,
) -> None:
    """Show what changed between two runs.

    That is the recipe, the data files, the rows that entered and left, the scores that moved, and the cost. Without a
    run it compares the latest with the one before it of the same recipe; with one, that with the one before.
    """
    from curate.storage.run_changes import run_changes, two_runs

    opened = open_store(store)
    found = run_changes(opened, *two_runs(opened, first, second))
    if json:
        parts = ("settings", "sources", "tables", "rows", "scores", "moves")
        runs = {"before": found.before["run_id"], "after": found.after["run_id"]}
        say(json_text(runs | {part: getattr(found, part).to_dicts() for part in parts}))
    else:
        _print(found, rows)


def _print(found: "RunChanges", most: int) -> None:
    _table("Runs", _runs(found), 2, "none")
    _table("The recipe", found.settings, found.settings.height, "the same")
    if found.sources.height:
        _table("Files and sources whose content changed", found.sources, found.sources.height, "none")
    tables = found.tables.filter((found.tables["before"] > 0) | (found.tables["after"] > 0))
    _table("Rows", tables, tables.height, "none")
    for change in ("entered", "left", "moved"):
        part = found.rows.filter((found.rows["change"] == change) & found.rows["what"].str.starts_with("dataset"))
        if part.height and most:
            of = f", {most} of {part.height:,}" if part.height > most else ""
            why = ["why"] if change == "left" else []
            _table(f"Rows of datasets that {change}{of}", part.select("what", "row_id", "text", *why), most, "none")
    _table("Scores of rows that both have", found.scores, found.scores.height, "none")
    if found.moves.height and most:
        of = f", the {most} largest of {found.moves.height:,}" if found.moves.height > most else ""
        _table(f"Scores that moved{of}", found.moves, most, "none")


def _runs(found: "RunChanges") -> "pl.DataFrame":
    """Return the two runs, the earlier one first, with what each took."""
    import polars as pl

    names = ("requests", "completion_tokens", "cost", "seconds")
    rows = [
        (run["run_id"], run["status"], *(float(run.get(name) or 0) for name in names))
        for run in (found.before, found.after)
    ]
    return pl.DataFrame(rows, ["run", "status", "requests", "tokens", "dollars", "seconds"], orient="row")


def _table(title: str, rows: "pl.DataFrame", most: int, nothing: str) -> None:
    """Print the first rows of a table below its title, so that ids and numbers are whole."""
    from cli.results.on_screen import show
    from cli.results.text_tables import Result, as_table

    if not rows.height:
        say(f"\n{title}: {nothing}")
        return
    types = ["VARCHAR" if str(kind) == "String" else "DOUBLE" for kind in rows.dtypes]
    result = Result(rows.columns, types, rows.head(most).rows())
    show(lambda width: as_table(result, width), sys.stdout, title=f"\n{title}")


COMMANDS = (diff,)
