"""Checks the section ``evaluate`` of a recipe as far as the recipe alone allows."""

from schemas.recipe import Recipe
from train.answer_scorers import answer_scorers
from train.evaluating.general.general_set import general_set
from train.evaluating.groups import check_keys
from train.evaluating.held_out import evaluation_section
from train.evaluating.win_rows import answer_judge


def check_section(recipe: Recipe) -> None:
    """Raise ``UserError`` where a scorer, the judge, a key of ``break_down`` or an own file of ``retention`` is wrong.

    It is also raised where there is no model or no scorer.
    """
    if recipe.evaluate is None:
        return
    answer_scorers(recipe, evaluation_section(recipe).by, recipe.where("evaluate", "by"))
    answer_judge(recipe)
    check_keys(recipe.evaluate.break_down or (), recipe.where("evaluate", "break_down"))
    general_set(recipe)
