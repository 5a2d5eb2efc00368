"""The sections of a report in their order, each made on its own: one that can't be read leaves a line in its place."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from cli.reporting.section import Section
from cli.reporting.sections.answers import answers
from cli.reporting.sections.comparisons import comparisons
from cli.reporting.sections.conversations import conversations
from cli.reporting.sections.costs import costs
from cli.reporting.sections.diversity import diversity
from cli.reporting.sections.duplicates import duplicates
from cli.reporting.sections.embedding_map import embedding_map
from cli.reporting.sections.evaluations import evaluations
from cli.reporting.sections.funnel import funnel
from cli.reporting.sections.k_curves import k_curves
from cli.reporting.sections.lengths import lengths
from cli.reporting.sections.losses import losses
from cli.reporting.sections.pairs import pairs
from cli.reporting.sections.pass_rates import pass_rates
from cli.reporting.sections.problems import problems
from cli.reporting.sections.recipe import recipe
from cli.reporting.sections.score_pairs import score_pairs
from cli.reporting.sections.scores import scores
from cli.reporting.sections.training_curves import training_curves
from cli.reporting.sections.two_runs import two_runs
from curate.storage.sql_views import FINISHED

if TYPE_CHECKING:
    import duckdb

    from cli.reporting.subject import Subject
    from curate.storage.records import RunInfo
    from curate.storage.store import Store

Made = tuple[list[Section], list[str]]
MOST_SAID = 300  # characters of an error


def all_sections(con: "duckdb.DuckDBPyConnection", store: "Store", of: "Subject") -> Made:
    """Return the sections of a report, and a line for each that can't be read."""
    run_id = of.run["run_id"] if of.run else None
    makers: list[tuple[str, Callable[[], Section | None]]] = [
        ("the funnel", lambda: funnel(con, run_id)),
        ("scores", lambda: scores(con)),
        ("two scores", lambda: score_pairs(con)),
        ("the K-curve", lambda: k_curves(con)),
        ("pass rates", lambda: pass_rates(con)),
        ("lengths", lambda: lengths(con)),
        ("duplicates", lambda: duplicates(con)),
        ("diversity", lambda: diversity(con)),
        ("the map", lambda: embedding_map(con)),
        ("pairs", lambda: pairs(con)),
        ("SFT rows", lambda: conversations(con)),
        ("one problem", lambda: problems(con)),
        ("training", lambda: training_curves(con)),
        ("the highest losses", lambda: losses(con)),
        ("evaluation", lambda: evaluations(con)),
        ("comparison", lambda: comparisons(con)),
        ("before and after", lambda: answers(con)),
        ("costs", lambda: costs(con)),
        ("two runs", lambda: _changes(store, of)),
        ("the recipe", lambda: recipe(con, run_id or of.last["run_id"])),
    ]
    sections, problems_found = [], []
    for name, make in makers:
        made = _made(name, make)
        if isinstance(made, Section):
            sections.append(made)
        elif made is not None:
            problems_found.append(made)
    return sections, problems_found


def _made(name: str, make: Callable[[], Section | None]) -> Section | str | None:
    """Return a section, or why it can't be read in a line."""
    import duckdb
    import polars as pl

    from curate.storage.damage import said_by
    from schemas.errors import OneLine, printable

    try:
        return make()
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException):
        raise  # a query of ours is wrong: every table has its columns, also in a store of an older version
    except (duckdb.Error, pl.exceptions.PolarsError, OneLine, OSError) as error:
        said = said_by(error)
        return f"{name} can't be read: {printable(said)[:MOST_SAID]}"


def _changes(store: "Store", of: "Subject") -> Section | None:
    """Return what changed since the last run that made something else; None where there is only one run."""
    from curate.storage.run_changes import run_changes

    if of.run is None:
        return None
    run_id = of.run["run_id"]
    runs = [run for run in store.runs() if run["recipe"] == of.recipe and run["command"] == "run"]
    runs = runs[: next(place for place, run in enumerate(runs) if run["run_id"] == run_id)]
    earlier = [run for run in runs if run["status"] in FINISHED] or runs
    if not earlier:
        return None
    other = [run for run in earlier if _stages(run) != _stages(of.run)]
    return two_runs(run_changes(store, (other or earlier)[-1], of.run))


def _stages(run: "RunInfo") -> set[str]:
    return {stage["path"] for stage in run["stages"]}
