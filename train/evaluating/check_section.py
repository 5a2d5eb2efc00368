"""Checks the section ``evaluate`` of a recipe as far as the recipe alone allows."""

import polars as pl

from curate.storage.rows import RowSet, read_parts
from schemas.recipe import Recipe
from train.answer_scorers import answer_scorers
from train.benchmarks.harness_tasks import harness_arguments
from train.evaluating.general.general_set import general_set
from train.evaluating.groups import check_keys
from train.evaluating.held_out import evaluation_section
from train.evaluating.win_rows import answer_judge


def check_section(recipe: Recipe) -> None:
    """Raise ``UserError`` where a scorer, the judge, a key of ``break_down`` or an own file is wrong.

    Own files are those of ``retention`` and ``benchmark``. It is also raised where there is no model or no scorer.
    """
    if recipe.evaluate is None:
        return
    answer_scorers(recipe, evaluation_section(recipe).by, recipe.where("evaluate", "by"))
    answer_judge(recipe)
    check_keys(recipe.evaluate.break_down or (), recipe.where("evaluate", "break_down"))
    general_set(recipe)
    harness_arguments(recipe)


def check_break_down(recipe: Recipe, prompts: RowSet) -> None:
    """Raise ``UserError`` where no prompt of a recipe has a key of ``break_down``, before anything is trained."""
    keys = (recipe.evaluate.break_down if recipe.evaluate else None) or []
    if not keys:
        return
    columns = ["prompt_id", "source", "metadata"]
    parts = [part for stage in prompts.stages for part in read_parts(stage, "prompts", columns)]
    empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    check_keys(keys, recipe.where("evaluate", "break_down"), pl.concat([empty, *parts]))
