"""Finds evaluations that ask for several answers to a prompt, all of them the greedy one."""

from schemas.recipe import Recipe


def greedy_samples_warning(recipe: Recipe) -> str:
    """Return that an evaluation's samples are all the same, and what to set; "" where they are not."""
    evaluation = recipe.evaluate
    if evaluation is None or evaluation.n == 1 or evaluation.temperature > 0:
        return ""
    return (
        f"n is {evaluation.n}, but the temperature is 0: all answers to a prompt are the same one, so that pass@k and "
        "the best of k say nothing; set temperature, such as 0.8, or n: 1"
    )
