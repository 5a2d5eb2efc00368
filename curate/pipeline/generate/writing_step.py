"""A ``generate`` step that asks no model, checked: it writes prompts or candidates from those there are."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from curate.pipeline.run_state import RunState
from curate.steps import sql_conditions
from curate.steps.find_step import Step
from curate.steps.settings import check_reads, check_settings
from schemas import recipe as recipes
from schemas.errors import UserError


@dataclass(frozen=True)
class WritingStep:
    """A step that asks no model.

    Attributes:
        found: Its function and signature.
        settings: The function's settings, defaults filled in.
        condition: Its ``where``: an SQL condition that says which rows it reads, or None for all.
        columns: The columns that the function and the condition read.
        where: The recipe's file and line, for errors.
    """

    found: Step
    settings: dict[str, Any]
    condition: str | None
    columns: list[str]
    where: str

    def key(self) -> dict[str, Any]:
        """Return what the stage depends on beside its code and its rows."""
        return {"step": self.found.name, "settings": self.settings, "where": self.condition}

    def rows_of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the rows that the step reads."""
        if not self.condition:
            return frame
        return frame.filter(sql_conditions.holds(frame, self.condition, f"{self.where}: where"))

    def call(self, frame: pl.DataFrame) -> Any:
        """Call the step's function on rows."""
        return self.found.call({name: frame[name] for name in self.found.reads}, self.settings)


def read_writing_step(
    state: RunState,
    step: recipes.Step,
    found: Step,
    columns: dict[str, pl.DataType],
    of_caller: tuple[str, ...],
    of_models: tuple[str, ...],
) -> WritingStep:
    """Check the settings of a step that asks no model.

    Args:
        state: The run's state.
        step: The recipe's step.
        found: The step's function.
        columns: The columns that its function and its condition may read.
        of_caller: Settings that the caller checks.
        of_models: Settings that only steps that ask models have.

    Raises:
        UserError: A setting, a column or the condition is wrong.
    """
    where = state.recipe.step_where(step)
    given = {name: value for name, value in step.settings.items() if name not in ("where", "as", *of_caller)}
    for name in given:
        if name in of_models:
            raise UserError(f"{where}: generate {found.name!r} asks no model, so it has no setting {name!r}")
    settings = check_settings(found, given, where, state.recipe.seed)
    condition = step.settings.get("where")
    if condition is not None:
        sql_conditions.check(condition, columns, f"{where}: where")
    check_reads(found, list(columns), where)
    of_condition = sql_conditions.mentioned(condition, list(columns)) if condition else []
    return WritingStep(found, settings, condition, list(dict.fromkeys([*found.reads, *of_condition])), where)
