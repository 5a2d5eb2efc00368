"""Recorded verdicts and preferences: whether a dataset of SFT rows would take answers that are recorded as bad."""

import polars as pl

from curate.pipeline.run_state import RunState
from curate.sources.rows.layout_names import RANKS, VERDICTS
from curate.steps import sql_conditions
from curate.storage.rows import read_all
from curate.storage.stage import Stage
from schemas.errors import UserError
from schemas.recipe import Dataset, Step

SOURCE_LABEL = "prompts.source."
VERDICT_VALUES = (-1.0, 0.0, 1.0)


def is_source(stage: Stage) -> bool:
    """Return whether a stage holds the rows of a source."""
    return stage.manifest["label"].startswith(SOURCE_LABEL)


def recorded_scores(state: RunState, names: tuple[str, ...]) -> list[str]:
    """Return those of these scores that came with a source, in the order of ``names``."""
    held = state.completions.scores
    return [name for name in names if any(is_source(stage) for stage in held.get(name, []))]


def check_verdicts(state: RunState, name: str, entry: Dataset) -> None:
    """Refuse SFT rows of all candidates where some are recorded as wrong or rejected, and the recipe says nothing.

    A ``where`` or a ``select`` of the dataset is a choice, ``select: all`` too; so is a ``filter`` or ``select`` step
    of ``completions:`` that names the score. ``by`` is none: by itself it leaves out no row.

    Raises:
        UserError: The dataset would take such answers; the message has the two lines to choose from.
    """
    if entry.type != "sft" or entry.where or entry.select or entry.control_of:
        return
    names = recorded_scores(state, (*VERDICTS, *RANKS))
    names = [one for one in names if not any(_chooses_by(step, one) for step in state.recipe.completions)]
    if not names:
        return
    values = read_all(state.completions, names)
    problems = {one: problem for one in names if (problem := _problem(one, values[one]))}
    if not problems:
        return
    score, (count, words, wanted, whom) = next(iter(problems.items()))
    generated = any(step.verb == "generate" for step in state.recipe.completions)
    unscored = f" or {score} is null" if generated or values[score].null_count() else ""
    others = f" (recorded too: {', '.join(list(problems)[1:])})" if len(problems) > 1 else ""
    raise UserError(
        f"{state.recipe.where('datasets', name)}: datasets.{name}: {count:,} of {values.height:,} candidates are "
        f'recorded with {words}{others}; choose: `where: "{wanted}{unscored}"` (takes {whom}) or '
        f"`select: all` (takes all)"
    )


def _problem(score: str, values: pl.Series) -> tuple[int, str, str, str] | None:
    """Return how many candidates are recorded as bad, in which words, the good ones' condition, and who those are.

    Of a verdict, 1 is good; of a rank, the least. None where all are good, or the values are no verdicts.
    """
    known = values.drop_nulls()
    if known.is_empty():
        return None
    if score in RANKS:
        least = known.min()
        bad = known.filter(known > least)
        return (bad.len(), f"{score} above {least:g}", f"{score} = {least:g}", "the best") if bad.len() else None
    bad = known.filter(known < 1)
    if bad.is_empty() or not known.is_in(VERDICT_VALUES).all():
        return None
    words = f"{score} = {bad[0]:g}" if bad.n_unique() == 1 else f"{score} below 1"
    return bad.len(), words, f"{score} = 1", "the preferred" if score == "preference" else f"those with {score} 1"


def _chooses_by(step: Step, score: str) -> bool:
    """Return whether a step of ``completions:`` leaves candidates out by a score."""
    if step.verb == "filter":
        conditions = (str(condition) for condition in step.settings.values())
        return any(sql_conditions.mentioned(condition, [score]) for condition in conditions)
    return step.verb == "select" and step.settings.get("by") == score
