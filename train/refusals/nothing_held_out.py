"""Finds evaluations that would have no prompt to ask, by the recipe alone: they would fail after the trainings."""

from schemas.recipe import Recipe


def evaluation_warning(recipe: Recipe) -> str:
    """Return why a recipe's evaluation would fail, as far as the recipe alone says it; "" where it does not."""
    evaluation = recipe.evaluate
    if evaluation is None or evaluation.split is not None or recipe.splits:
        return ""
    return (
        "nothing is held out to evaluate on: add a 'split', such as split: {test: 0.1}; or where nothing is trained on "
        f"{evaluation.dataset!r}, ask all of it: split: train in evaluate"
    )
