"""Checks the section ``evaluate`` of a recipe as far as the recipe alone allows."""

from schemas.recipe import Recipe
from train.answer_scorers import answer_scorers
from train.evaluating.groups import check_keys
from train.evaluating.win_rows import answer_judge


def check_section(recipe: Recipe) -> None:
    """Raise ``UserError`` where a scorer, the judge or a key of ``break_down`` is wrong."""
    if recipe.evaluate is None:
        return
    answer_scorers(recipe, recipe.evaluate.by, recipe.where("evaluate", "by"))
    answer_judge(recipe)
    check_keys(recipe.evaluate.break_down or (), recipe.where("evaluate", "break_down"))
