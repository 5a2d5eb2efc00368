"""The columns of a finished training, for conditions of a later recipe: ``filter: {noisy: "loss_last > 2"}``.

``- score: {use: training, of: round1/sft}`` gives candidates the losses, margins and entropies that they had in a
training of another recipe, and prompts the rewards of their answers, or their losses in a distillation. Without ``of``,
and where a condition names such a column and no step gives it, it is the training that finished last, of those that
have values for these rows. A recipe never reads its own trainings so, nor those of recipes that build on it: its rows
would depend on themselves.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import polars as pl

from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps import sql_conditions
from curate.storage.rows import RowSet, read_all
from curate.storage.stage import Stage, StageWriter
from curate.storage.training_records import TrainingRecord, built_on, find_trainings, no_training, training_records
from curate.storage.training_values import training_values
from schemas import recipe as recipes
from schemas.errors import UserError, unknown

NEAR = 0.8  # how alike two names are, of which one is meant for the other
STEP = "training"  # ``use`` of the step
OF_PROMPTS = ("loss_first", "loss_last", "loss_mean", "entropy_last", "reward_mean")
OF_CANDIDATES = (*OF_PROMPTS, "margin_last")
NAME_ONE = "name one in a step above: - score: {use: training, of: RECIPE/NAME}"


@dataclass(frozen=True)
class TrainingColumns:
    """The values that a training has for rows.

    Attributes:
        record: The training.
        values: The id of each row (``row_id``) and its value in each column that has any.
        newer: The number of trainings of other recipes that finished later and have no values for these rows.
        others: Where the recipe names none: those by another trainer that the same recipe has, with the same columns.
    """

    record: TrainingRecord
    values: pl.DataFrame
    newer: int = 0
    others: tuple[TrainingRecord, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The columns that have values."""
        return self.values.columns[1:]


def columns_of_step(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> Iterator[StageSpec]:
    """Yield the stage that gives rows the columns of a training that a filter names, if they are not there yet.

    Args:
        state: The run's state.
        rows: The rows that the step is for.
        step: The step.
        prompts: The prompts of candidates; None where ``rows`` are prompts.

    Raises:
        UserError: No training has such columns for these rows.
    """
    if step.verb == "filter":
        yield from _named(state, rows, prompts, step.settings.values(), state.recipe.step_where(step))


def columns_of_dataset(state: RunState, name: str, entry: recipes.Dataset) -> Iterator[StageSpec]:
    """Yield the stage that gives rows the columns of a training that a dataset's condition names, if it is needed.

    Raises:
        UserError: No training has such columns for these rows.
    """
    rows, prompts = (state.prompts, None) if entry.type == "prompt" else (state.completions, state.prompts)
    if entry.where:
        yield from _named(state, rows, prompts, [entry.where], state.recipe.where("datasets", name, "where"))


def _named(
    state: RunState, rows: RowSet, prompts: RowSet | None, conditions: Iterable[str], where: str
) -> Iterator[StageSpec]:
    columns = rows.columns(prompts)
    absent = [name for name in (OF_CANDIDATES if prompts else OF_PROMPTS) if name not in columns]
    wanted: list[str] = []
    for condition in conditions:
        wrong = _what_is_wrong(condition, columns) if isinstance(condition, str) else ""
        named = sql_conditions.mentioned(condition, absent) if wrong else []
        wanted += named
        near = None if named else _nearest(wrong, absent)
        if near:
            said = wrong.partition(";")[0]
            raise UserError(f"{where}: {said}; did you mean {near!r}, a column of an earlier training?")
    if not wanted:
        return
    wanted = list(dict.fromkeys(wanted))
    if any(step.use == STEP for step in (*state.recipe.prompts, *state.recipe.completions)):
        raise UserError(
            f"{where}: {', '.join(wanted)}: no step 'score: {{use: {STEP}}}' above gives it; the training that such a "
            f"step reads must have it for these rows (columns there: {', '.join(columns)})"
        )
    yield training_stage(state, rows, prompts, None, where, tuple(wanted))


def step_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage of a step ``score: {use: training}``.

    Raises:
        UserError: The step has other settings than ``of``, or names no training that can be read.
    """
    where = state.recipe.step_where(step)
    for key in step.settings:
        if key != "of":
            raise unknown("setting of score training called", key, ["of"], where)
    of = step.settings.get("of")
    if of is not None and not isinstance(of, str):
        raise UserError(f"{where}: score: training: of: expected a training's id, or RECIPE/NAME, found {of!r:.40}")
    return training_stage(state, rows, prompts, of, where, ())


def training_stage(
    state: RunState, rows: RowSet, prompts: RowSet | None, of: str | None, where: str, wanted: tuple[str, ...]
) -> StageSpec:
    """Return the stage that writes the columns of a training as scores.

    Args:
        state: The run's state.
        rows: The rows.
        prompts: The prompts of candidates; None where ``rows`` are prompts.
        of: The training; None for the last that has values for these rows.
        where: The place in the recipe, for errors.
        wanted: The columns that it must have; any if empty.
    """
    label = state.label(rows.table, "score", STEP)
    absent = [name for name in (OF_CANDIDATES if prompts else OF_PROMPTS) if name not in rows.columns(prompts)]
    if not absent:
        raise UserError(f"{where}: score: training: its columns are there already: {', '.join(OF_CANDIDATES)}")
    records = training_records(state.store)
    found, missing = _find(state, rows, of, where, wanted or tuple(absent), records, every=bool(wanted))
    if found is None:
        steps = (*state.recipe.prompts, *state.recipe.completions)
        if not state.waits_for and not any(step.verb == "generate" for step in steps):  # a plan knows all rows too
            raise missing
        key = {"training": "", **input_key(rows, prompts, [])}
        return StageSpec(label, key, partial(no_values, error=missing), partial(_adopt, rows, list(wanted or absent)))
    names = [name for name in found.columns if name in absent]
    key = {"training": found.record.id, "columns": names, **input_key(rows, prompts, [])}
    if found.others:  # the stage has the warning
        key["others"] = [one.id for one in found.others]
    build = partial(write_training_columns, rows=rows, found=found, names=names)
    adopt = partial(_adopt, rows, names)
    return StageSpec(label, key, build, adopt, code=(training_values,), in_plan=True)


def write_training_columns(
    writer: StageWriter, run: RunContext, *, rows: RowSet, found: TrainingColumns, names: list[str]
) -> str:
    """Write the values as scores; return which training they are of, and how many rows have one."""
    known = 0
    for name in names:
        values = found.values.select("row_id", value=name).drop_nulls("value")
        writer.write("scores", values.with_columns(scorer=pl.lit(name)))
        known = max(known, values.height)
    record, total = found.record, rows.height
    writer.info["rows_in"] = total
    if found.others:
        also = ", ".join(f"{one.title} ({one.trainer})" for one in found.others)
        writer.info["warnings"] = [
            f"{', '.join(names)} are of the trainer {record.trainer}, as {record.title} finished last; on "
            f"another scale such columns are there of {also}; name the training that is meant in a step above: "
            f"- score: {{use: {STEP}, of: {found.others[0].title}}}"
        ]
    others = f"; {found.newer} newer trainings have nothing on these rows" if found.newer else ""
    what = "candidates" if rows.table == "completions" else "prompts"
    return (
        f"{', '.join(names)} of {record.title} ({record.id}, finished {record.finished}) for {known:,} of {total:,} "
        f"{what}{others}"
    )


def no_values(writer: StageWriter, run: RunContext, *, error: UserError) -> str:
    """Raise the error that there is no training to read."""
    raise error


def _adopt(rows: RowSet, names: list[str], stage: Stage | None) -> None:
    for name in names:
        rows.scores[name] = [stage] if stage else []


def _what_is_wrong(condition: str, columns: dict[str, pl.DataType]) -> str:
    """Return why a condition is not valid over these columns; a word in it may be a key of JSON, no column."""
    try:
        sql_conditions.check(condition, columns, "")
    except UserError as error:
        return str(error).removeprefix(": ")
    return ""


def _nearest(wrong: str, absent: list[str]) -> str | None:
    """Return the column of a training that is nearly the column that DuckDB did not find, if one is."""
    unfound = re.search(r"no column '(\w+)'", wrong)
    return next(iter(get_close_matches(unfound[1].lower(), absent, 1, NEAR)), None) if unfound else None


def _find(
    state: RunState,
    rows: RowSet,
    of: str | None,
    where: str,
    wanted: tuple[str, ...],
    records: list[TrainingRecord],
    *,
    every: bool,
) -> tuple[TrainingColumns | None, UserError]:
    """Return the training to read and its values; or None, and the error that says why there is none."""
    own = built_on(state.store, state.recipe.name, records)
    usable = _usable(state, of, where, records, own)
    ids = ["completion_id", "prompt_id"] if rows.table == "completions" else ["prompt_id"]
    held = read_all(rows, ids)
    for newer, record in enumerate(usable):
        values = training_values(state.store, record.stage, held.select(ids))
        known = [name for name in values.columns if values[name].count()]
        if set(wanted) <= set(known) if every else set(wanted) & set(known):
            table = pl.DataFrame({"row_id": held[rows.id]}).hstack(values.select(known))
            later = usable[newer + 1 :] if of is None else []
            others = _by_other_trainers(state, record, later, held.select(ids), [one for one in wanted if one in known])
            return TrainingColumns(record, table, newer, others), UserError("")
    what = f"has {'' if every else 'any of '}{', '.join(wanted)} for these {held.height:,} rows"
    if of is not None:
        values = training_values(state.store, usable[0].stage, held.select(ids))
        there = [name for name in values.columns if values[name].count() and name not in wanted]
        if there:
            return None, UserError(
                f"{where}: score: training: the columns of {of!r} ({usable[0].id}) are there already, from a step "
                f"above: {', '.join(there)}; a row has such a column of one training only: remove one of the steps"
            )
        return None, UserError(
            f"{where}: the training {of!r} ({usable[0].id}) {what.replace('has any of', 'has none of')}"
        )
    left = [one for one in records if own.intersection(one.owners)]
    why = (
        f"; {left[0].title} ({left[0].id}) is of {state.recipe.name!r} itself, or of a recipe that builds on it, and "
        f"no recipe can depend on its own trainings: give this round's recipe another 'name', or name the training by "
        f"its id"
        if left
        else f"; train a recipe on these rows first, or {NAME_ONE}"
    )
    return None, UserError(f"{where}: no training of another recipe in this store {what}{why}")


def _by_other_trainers(
    state: RunState, record: TrainingRecord, earlier: list[TrainingRecord], rows: pl.DataFrame, columns: list[str]
) -> tuple[TrainingRecord, ...]:
    """Return the last training by each other trainer in a training's recipes that has its columns for the rows."""
    found: dict[str, TrainingRecord] = {}
    for one in earlier:
        if set(one.owners) & set(record.owners) and one.trainer not in (record.trainer, *found):
            values = training_values(state.store, one.stage, rows)
            if any(values[name].count() for name in columns):
                found[one.trainer] = one
    return tuple(found.values())


def _usable(
    state: RunState, of: str | None, where: str, records: list[TrainingRecord], own: set[str]
) -> list[TrainingRecord]:
    """Return the trainings to look for values in, the last first; one only if it is named.

    Raises:
        UserError: The name is that of no training, or of the recipe's own.
    """
    others = [one for one in records if one.owners and not own.intersection(one.owners)]
    if of is None:
        return [one for one in others if not one.limited or state.recipe.limit is not None]
    found = find_trainings(records, of)
    by_id = [one for one in found if one.id.startswith(of)]
    if len(by_id) > 1:
        raise UserError(f"{where}: {of!r} is the start of several trainings' ids: {', '.join(one.id for one in by_id)}")
    allowed = by_id or [one for one in found if one in others]
    if found and not allowed:
        raise UserError(
            f"{where}: {of!r} is a training of {state.recipe.name!r} itself, or of a recipe that builds on it, and no "
            f"recipe can depend on its own trainings: name one of another recipe, or a finished one by its id, "
            f"{found[0].id}"
        )
    if not allowed:
        raise no_training(others, of, where)
    return allowed[:1]
