"""What changed between two runs: the recipe, the sources' content, the rows, the scores that moved, the cost."""

from dataclasses import dataclass

import polars as pl

from curate.storage.changed_sources import changed_sources
from curate.storage.recipe_changes import recipe_changes
from curate.storage.records import RunInfo
from curate.storage.run_stages import stages_of_run
from curate.storage.sql_views import FINISHED
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError, unknown
from schemas.rows import DATASET_TABLES

IDS = ("prompt_id", "completion_id", "row_id")
SCORE = {"row_id": pl.String, "scorer": pl.String, "value": pl.Float64}
MOVED = 1e-9  # scores nearer than that are the same: a sum in another order


@dataclass(frozen=True)
class RunChanges:
    """What changed from a run to a later one.

    Attributes:
        before: The record of the first run.
        after: The record of the second.
        settings: The recipe's values that differ (``recipe_changes``).
        sources: The sources whose content changed: ``source`` (its path), ``rows_before``, ``rows_after``.
        tables: A row for each table and dataset: ``what``, ``before``, ``after`` (rows), ``entered``, ``left``, and
            ``moved`` (to another split).
        rows: A row for each that entered, left or moved: ``what``, ``change``, ``row_id``, ``text``, ``why`` (the
            reason and the stage of the decision that dropped it; of a row that left without one, what it was made of
            and is not there any more).
        scores: A row for each scorer: ``scorer``, ``rows`` (that both have), ``moved``, ``mean_before`` and
            ``mean_after``.
        moves: A row for each score that moved, the largest first: ``row_id``, ``scorer``, ``before``, ``after``.
    """

    before: RunInfo
    after: RunInfo
    settings: pl.DataFrame
    sources: pl.DataFrame
    tables: pl.DataFrame
    rows: pl.DataFrame
    scores: pl.DataFrame
    moves: pl.DataFrame


def two_runs(store: Store, first: str | None, second: str | None) -> tuple[RunInfo, RunInfo]:
    """Return two runs, the earlier one first.

    Args:
        store: The store.
        first: The start of a run's id, or the name of a recipe, of which it is the latest run. None for the last run of
            the second's recipe before it.
        second: Likewise; None for the latest run of the store that made datasets.

    Raises:
        UserError: There is no such run, or no earlier one.
    """
    every = store.runs()
    runs = [run for run in every if run["command"] == "run"]
    for text in (first, second):
        other = next((run for run in every if run["run_id"] == text and run not in runs), None)
        if other:
            raise UserError(f"{text}: is a run of {other['command']!r}; expected one of 'run', which makes datasets")
    if not runs:
        raise UserError(f"{store.path}: no run of 'gristmill run' is in this store")
    if first is not None and second is None:  # one run: it is compared with the one before it
        first, second = None, first
    after = runs[-1] if second is None else _run(runs, second)
    if first is not None:
        before = _run(runs, first)
    else:
        same = [run for run in runs if run["recipe"] == after["recipe"] and run["number"] < after["number"]]
        earlier = [run for run in same if run["status"] in FINISHED] or same  # one that was killed has a part of it
        if not earlier:
            raise UserError(f"{after['run_id']}: the store has no earlier run of the recipe {after['recipe']!r}")
        before = earlier[-1]
    if before["run_id"] == after["run_id"]:
        raise UserError(f"{after['run_id']}: expected two runs, found the same one twice")
    return (before, after) if before["number"] < after["number"] else (after, before)


def run_changes(store: Store, before: RunInfo, after: RunInfo) -> RunChanges:
    """Return what changed from a run to a later one of the same store."""
    old, new = stages_of_run(store, before), stages_of_run(store, after)
    tables, rows = _rows(old, new)
    scores, moves = _scores(old, new)
    settings, sources = recipe_changes(before, after), changed_sources(before, after)
    return RunChanges(before, after, settings, sources, tables, rows, scores, moves)


def _run(runs: list[RunInfo], text: str) -> RunInfo:
    if not text:
        raise UserError("expected the start of a run's id, or a recipe's name, found an empty text")
    found = [run for run in runs if run["run_id"] == text] or [run for run in runs if run["recipe"] == text][-1:]
    found = found or [run for run in runs if run["run_id"].startswith(text)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise unknown("run or recipe (in the store) called", text, [run["run_id"] for run in reversed(runs)])
    raise UserError(f"{text!r} begins the ids of {len(found)} runs: {', '.join(run['run_id'] for run in found[:4])}")


def _rows(old: list[Stage], new: list[Stage]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the counts of each table and dataset, and the rows that entered, left or moved."""
    counts, changed = [], []
    held, holds = _keyed(old), _keyed(new)
    dropped = _dropping(new)
    gone = _gone(holds)
    for what in dict.fromkeys([*held, *holds]):
        a, b = held.get(what, EMPTY), holds.get(what, EMPTY)
        entered, left = b.join(a, on="row_id", how="anti"), a.join(b, on="row_id", how="anti")
        both = b.join(a.select("row_id", earlier="split"), on="row_id")
        moved = both.filter(pl.col("split").ne_missing(pl.col("earlier")))
        told = dropped.filter(_is_of(what)).unique("row_id", keep="first", maintain_order=True)
        lost = gone if what in holds else pl.lit(f"its {what.partition(' ')[0]} is gone")
        counts.append((what, a.height, b.height, entered.height, left.height, moved.height))
        for change, rows in (("entered", entered), ("left", left), ("moved", moved)):
            whys = rows.select("row_id", "ids", "text").explode("ids", empty_as_null=True)
            whys = whys.join(told, left_on="ids", right_on="row_id", how="left", maintain_order="left")
            first = whys.group_by("row_id", maintain_order=True).agg(
                pl.col("text").first(),
                pl.coalesce(pl.col("why").drop_nulls().first(), lost if change == "left" else None),
            )
            changed.append(
                first.select(what=pl.lit(what), change=pl.lit(change), row_id="row_id", text="text", why="why")
            )
    schema = {"what": pl.String} | dict.fromkeys(("before", "after", "entered", "left", "moved"), pl.Int64)
    empty = pl.DataFrame(schema=dict.fromkeys(("what", "change", "row_id", "text", "why"), pl.String))
    return pl.DataFrame(counts, schema=schema, orient="row"), pl.concat([empty, *changed])


def _gone(holds: dict[str, pl.DataFrame]) -> pl.Expr:
    """Return which part of a row is not among the rows of a run, in words; null where all are."""
    made = pl.concat([holds.get(table, EMPTY)["row_id"] for table in ("prompts", "completions")])
    lost = pl.col("ids").filter(~pl.col("ids").is_in(made.implode())).str.head(2)
    prompt, answer = (pl.when((lost == start).any()) for start in ("p_", "c_"))
    return pl.coalesce(prompt.then(pl.lit("its prompt is gone")), answer.then(pl.lit("its answer is gone")))


EMPTY = pl.DataFrame(schema={"row_id": pl.String, "split": pl.String, "text": pl.String, "ids": pl.List(pl.String)})


def _keyed(stages: list[Stage]) -> dict[str, pl.DataFrame]:
    """Return the rows of a run by table or dataset: their ids, split, text, and the ids that decisions name them by."""
    parts: dict[str, list[pl.DataFrame]] = {}
    prompts = [stage.read("prompts", ["prompt_id", "prompt"]) for stage in stages if stage.rows("prompts")]
    texts = (
        pl.concat(prompts).unique("prompt_id")
        if prompts
        else pl.DataFrame(schema={"prompt_id": pl.String, "prompt": pl.String})
    )
    for stage in stages:
        for table, key in (("prompts", "prompt_id"), ("completions", "completion_id")):
            if stage.rows(table):
                text = "prompt" if table == "prompts" else "response"
                rows = stage.read(table, [key, text])
                rows = rows.select(row_id=key, split=pl.lit(None, pl.String), text=text, ids=pl.concat_list(key))
                parts.setdefault(table, []).append(rows)
        for table in DATASET_TABLES.values():
            if table in stage.manifest["tables"] and stage.manifest["label"].startswith("datasets."):
                rows = stage.read(table)
                ids = [name for name in rows.columns if name in IDS or name == "chosen_id"]
                rows = rows.drop("prompt").join(texts, on="prompt_id", how="left", maintain_order="left")
                name = stage.manifest["label"].removeprefix("datasets.")
                rows = rows.select("row_id", "split", text="prompt", ids=pl.concat_list(ids))
                parts.setdefault(f"dataset {name}", []).append(rows)
    return {what: pl.concat(found).unique("row_id", keep="first", maintain_order=True) for what, found in parts.items()}


def dropping_decisions(stages: list[Stage]) -> pl.DataFrame:
    """Return the first decision that dropped each row, as ``why``."""
    return _dropping(stages).select("row_id", "why").unique("row_id", keep="first", maintain_order=True)


def _dropping(stages: list[Stage]) -> pl.DataFrame:
    """Return the decisions that dropped rows, in the order of the stages: ``row_id``, ``why``, ``stage``."""
    empty = pl.DataFrame(schema=dict.fromkeys(("row_id", "why", "stage"), pl.String))
    why = pl.format("{}, by {}", "reason", "stage")
    read = (stage.read("decisions") for stage in stages if stage.rows("decisions"))
    return pl.concat(
        [
            empty,
            *(rows.filter(~pl.col("kept")).select("row_id", "stage", why=why).select(empty.columns) for rows in read),
        ]
    )


def _is_of(what: str) -> pl.Expr:
    """Return whether a decision is of all rows, or of this dataset: another dataset's says nothing of its rows."""
    kind, _, name = what.partition(" ")
    of_any = ~pl.col("stage").str.starts_with("datasets.")
    return of_any | pl.col("stage").str.starts_with(f"datasets.{name}.") if kind == "dataset" else of_any


def _scores(old: list[Stage], new: list[Stage]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the scorers with their means over the rows that both runs have, and the scores that moved."""
    a, b = (
        pl.concat(
            [pl.DataFrame(schema=SCORE), *(s.read("scores", [*SCORE]) for s in stages if s.rows("scores"))]
        ).unique(["row_id", "scorer"], keep="first")
        for stages in (old, new)
    )
    both = a.join(b, on=["row_id", "scorer"], suffix="_after").rename({"value": "before", "value_after": "after"})
    differs = (pl.col("before") - pl.col("after")).abs() > MOVED
    differs |= pl.col("before").is_null() != pl.col("after").is_null()
    both = both.with_columns(moved=differs.fill_null(False))
    scores = both.group_by("scorer").agg(
        rows=pl.len(),
        moved=pl.col("moved").sum(),
        mean_before=pl.col("before").mean(),
        mean_after=pl.col("after").mean(),
    )
    size = (pl.col("after").fill_null(0) - pl.col("before").fill_null(0)).abs()
    moves = both.filter("moved").sort(size, descending=True).select("row_id", "scorer", "before", "after")
    return scores.sort("scorer"), moves
