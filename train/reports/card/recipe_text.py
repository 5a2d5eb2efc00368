"""The part of a recipe that a trained model is of, as YAML for its card: without secrets."""

from typing import Any

from curate.export.for_others import for_others
from schemas.recipe import Recipe, Step
from schemas.yaml_text import yaml_text

LINES = 150  # of a card


def recipe_text(recipe: Recipe, name: str) -> str:
    """Return the sections of a recipe that a training's model is of: its rows' making, and the trainings below it.

    Args:
        recipe: The recipe.
        name: The training's name.
    """
    chain = [name]
    while recipe.train[chain[-1]].model in recipe.train:
        chain.append(recipe.train[chain[-1]].model)
    trainings = {one: recipe.train[one] for one in reversed(chain)}
    asked = {model for one in trainings.values() for model in (one.model, one.teacher) if model}
    whole = recipe.model_dump(mode="json", exclude_unset=True)
    parts = {
        "name": recipe.name,
        "seed": recipe.seed,
        "models": {key: value for key, value in whole.get("models", {}).items() if key in asked},
        "prompts": [_step(step) for step in recipe.prompts],
        "completions": [_step(step) for step in recipe.completions],
        "datasets": {key: whole["datasets"][key] for key in dict.fromkeys(one.dataset for one in trainings.values())},
        "split": whole.get("split"),
        "train": {key: whole["train"][key] for key in trainings},
    }
    return yaml_text(for_others({key: value for key, value in parts.items() if value}))


def shortened(text: str) -> str:
    """Return at most ``LINES`` lines of a text, and how many there are more."""
    lines = text.splitlines()
    more = [f"# and {len(lines) - LINES:,} more lines"] if len(lines) > LINES else []
    return "\n".join(lines[:LINES] + more)


def _step(step: Step) -> dict[str, Any]:
    """Return a step as a recipe has it: ``{score: {use: length, as: chars}}``, or ``{dedup: exact}``."""
    if step.use is None:
        return {step.verb: step.settings}
    return {step.verb: {"use": step.use, **step.settings} if step.settings else step.use}
