"""Finds settings of an evaluation that have no effect: several greedy answers, a judge of one model."""

from schemas.recipe import Recipe


def idle_settings(recipe: Recipe) -> list[str]:
    """Return a warning for each setting of a recipe's evaluation that has no effect, with what to set."""
    evaluation, found = recipe.evaluate, []
    if evaluation is None:
        return []
    if evaluation.n > 1 and evaluation.temperature == 0:
        found.append(
            f"n is {evaluation.n}, but the temperature is 0: all answers to a prompt are the same one, so that pass@k "
            "and the best of k say nothing; set temperature, such as 0.8, or n: 1"
        )
    if evaluation.judge is not None and len(set(evaluation.models)) < 2:
        found.append("the judge is not asked: it compares each model with the first of 'models', which has one only")
    return found
