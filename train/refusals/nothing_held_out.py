"""Finds evaluations that would have no prompt to ask, by the recipe alone: they would fail after the trainings."""

from schemas.recipe import Recipe


def evaluation_warning(recipe: Recipe) -> str:
    """Return why a recipe's evaluation would fail, as far as the recipe alone says it; "" where it does not."""
    evaluation = recipe.evaluate
    if evaluation is None:
        return ""
    wanted = [evaluation.split] if isinstance(evaluation.split, str) else evaluation.split
    if wanted is None and not recipe.splits:
        return (
            "nothing is held out to evaluate on: add a 'split', such as split: {test: 0.1}; or where nothing is "
            f"trained on {evaluation.dataset!r}, say so: split: train in evaluate"
        )
    missing = [one for one in wanted or () if one not in {"train", *recipe.splits}]
    if missing:
        there = ", ".join([*recipe.splits, "train"])
        return f"split: the recipe has no split {missing[0]!r} to evaluate on (there are: {there})"
    return ""
