"""Makes a report of a store and writes it, whole or not at all."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.output_file import check_output, output_file
from schemas.version import VERSION

if TYPE_CHECKING:
    import duckdb

    from cli.reporting.subject import Subject
    from curate.storage.store import Store

FIGURES = (
    ("prompts", "SELECT count(*) FROM prompts"),
    ("candidates", "SELECT count(*) FROM completions"),
    ("scores", "SELECT count(*) FROM scores"),
    ("rows for SFT", "SELECT count(*) FROM sft"),
    ("pairs", "SELECT count(*) FROM preferences"),
    ("RL prompts", "SELECT count(*) FROM rl_prompts"),
    ("trainings", "SELECT count(*) FROM trainings"),
    ("test answers", "SELECT count(DISTINCT (evaluation_id, row_id, sample_index)) FROM evaluations"),
)


def check_report(path: Path | None, option: str = "--report") -> None:
    """Raise before the work where the report of ``--report`` can't be made or written; None asks for none.

    Raises:
        UserError: The file can't be written.
        ImportError: The extra ``view`` is not installed.
    """
    if path is None:
        return
    import altair  # noqa: F401 - a missing extra is said now, not after hours of training
    import jinja2  # noqa: F401

    check_output(path, option)


def write_report(store: "Store", path: Path, run: str | None = None, option: str = "--report") -> list[str]:
    """Write a report of a store.

    Args:
        store: The store.
        path: The file.
        run: The start of a run's id, or a recipe's name; None for the latest run.
        option: The option that names the file, for errors.

    Returns:
        A line for each part that can't be read.

    Raises:
        UserError: There is no such run, or the file can't be written.
    """
    text, problems = report(store, run)
    with output_file(path, option) as made:
        made.write_text(text, encoding="utf-8", errors="replace")
    return problems


def report(store: "Store", run: str | None = None) -> tuple[str, list[str]]:
    """Return a report as HTML, and a line for each part of it that can't be read."""
    from cli.reporting.all_sections import all_sections
    from cli.reporting.page import page
    from cli.reporting.subject import subject
    from curate.storage.sql_views import connect

    of = subject(store, run)
    made = f"{datetime.now():%Y-%m-%d %H:%M}"
    if of is None:
        return page([], {"title": "An empty store", "about": "The store has no run yet: 'gristmill run RECIPE' makes "
                         "datasets, and a report has something to show.", "figures": [], "problems": [],
                         "made": made, "version": VERSION, "status": None}), []  # fmt: skip
    with connect(store, of.recipe, until=of.last["number"]) as con:
        figures = _figures(con)
        sections, problems = all_sections(con, store, of)
    values = {"title": of.recipe, "about": _about(of), "figures": figures, "problems": problems, "made": made,
              "version": VERSION, "status": of.last["status"]}  # fmt: skip
    return page(sections, values), problems


def _figures(con: "duckdb.DuckDBPyConnection") -> list[tuple[str, int]]:
    """Return how many rows there are of what there are some; what is damaged is left to the sections to say."""
    import duckdb

    found: list[tuple[str, int]] = []
    for name, query in FIGURES:
        try:
            count: Any = con.execute(query).fetchall()[0][0]
        except duckdb.Error:
            continue
        if count:
            found.append((name, count))
    return found


def _about(of: "Subject") -> str:
    text = f"As of the run {of.last['run_id']} ({of.last['command']}, {of.last['status']})."
    if of.run is not None and of.run is not of.last:
        text += f" Its datasets are those of the run {of.run['run_id']}."
    if of.others:
        names = ", ".join(of.others[:6]) + (f" and {len(of.others) - 6} more" if len(of.others) > 6 else "")
        text += f" The store has other recipes too, each with a report of its own (--run NAME): {names}."
    return text
