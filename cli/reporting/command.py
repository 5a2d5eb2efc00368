"""The command ``report``: one HTML file that shows what is in a store."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import STORE, StoreFolder, open_store
from cli.terminal import say

if TYPE_CHECKING:
    from schemas.recipe import Recipe


def report(
    store: StoreFolder = STORE,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="The start of a run's id, or a recipe's name: the store as it was after it. By default the latest.",
        ),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The HTML file to write.")] = Path("report.html"),
) -> None:
    """Write a report: one HTML file that shows a store, offline.

    It has the funnel, scores, pass rates, pairs and conversations, training curves, evaluations, comparisons and costs:
    each where the store has them. A browser opens it without a server and without a connection.
    """
    from cli.reporting.make import check_report, write_report

    check_report(output, "--output")
    started = time.monotonic()
    opened = open_store(store)
    problems = write_report(opened, output, run, "--output")
    for line in problems:
        say(f"warning: {line}", err=True)
    said_report(output, time.monotonic() - started)


def said_report(path: Path, seconds: float) -> None:
    """Say where a report is, how large it is, and how long it took."""
    size = f", {path.stat().st_size / 1e6:.1f} MB" if path.is_file() else ""
    say(f"report: {path} ({seconds:.1f} s{size}); a browser opens it, also offline")


def finish_report(path: Path | None, store: Path, recipe: "Recipe") -> None:
    """Write the report of ``--report`` at the end of a command; nothing where none is asked for.

    Args:
        path: The file; None for no report.
        store: The store's folder.
        recipe: The recipe that ran.
    """
    if path is None:
        return
    from cli.reporting.make import write_report

    started = time.monotonic()
    name = None if recipe.rounds is not None else recipe.run_name  # of rounds, each has a name of its own
    for line in write_report(open_store(store), path, name):
        say(f"warning: {line}", err=True)
    said_report(path, time.monotonic() - started)


COMMANDS = (report,)
