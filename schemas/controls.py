"""Add the control datasets that a recipe asks for with ``control: random``.

A control is a second dataset, called NAME_random, whose rows are drawn at random from the candidates that the dataset
NAME chooses from; it has as many rows, or as many tokens. Training on both shows how much the choice itself is worth.
A dataset that chooses within each prompt has a control of the same prompts: just those with an answer that was good
enough. ``control: {random: all}`` draws over all prompts (NAME_random_all).
``curate.datasets.random_control`` draws the rows. The entry is added when the recipe is read, so that ``train:`` and
``evaluate:`` can name a control like any other dataset.
"""

from typing import Literal

from schemas.errors import UserError
from schemas.recipe import Dataset, Recipe

PAIR_OPTIONS = ("max_pairs", "length_band", "models", "max_similarity")


def with_controls(recipe: Recipe) -> Recipe:
    """Return the recipe with the control of each dataset added after it.

    Raises:
        UserError: An option of a dataset does not fit its type, or a control's name is taken.
    """
    datasets, lines = {}, dict(recipe.lines)
    for name, dataset in recipe.datasets.items():
        _check_dataset(recipe, name, dataset)
        datasets[name] = dataset
        for over in _controls(recipe, name, dataset):
            control = f"{name}_random_{over}" if over else f"{name}_random"
            if control in recipe.datasets:
                raise UserError(
                    f"{recipe.where('datasets', control)}: datasets.{control}: is the name of the control of {name!r}; "
                    f"choose another name"
                )
            of = {"control": [], "control_of": name, "control_over": over}
            datasets[control] = dataset.model_copy(update=of)
            lines[f"datasets/{control}"] = lines.get(f"datasets/{name}/control", lines.get(f"datasets/{name}", 1))
    return recipe.model_copy(update={"datasets": datasets, "lines": lines})


def _controls(recipe: Recipe, name: str, dataset: Dataset) -> list[Literal["all"] | None]:
    """Return what each control of a dataset is drawn over: None, or ``all``. Raises ``UserError`` for two alike."""
    over = [None if one == "random" else one["random"] for one in dataset.control]
    if len(set(over)) < len(over):
        place = recipe.where("datasets", name, "control")
        raise UserError(f"{place}: datasets.{name}.control: names the same control twice")
    return over


def _check_dataset(recipe: Recipe, name: str, dataset: Dataset) -> None:
    """Raise ``UserError`` where an option of a dataset does not fit its type or its other options."""
    for key in ("control_of", "control_over"):
        if getattr(dataset, key) is not None:
            raise UserError(
                f"{recipe.where('datasets', name, key)}: datasets.{name}: {key!r} is set by gristmill; write 'control: "
                f"random' in the dataset that it is compared with"
            )
    if dataset.learn is not None and dataset.type != "sft":
        raise UserError(
            f"{recipe.where('datasets', name, 'learn')}: datasets.{name}.learn: says which turns of a conversation are "
            f"learnt, so it needs the type sft, found {dataset.type}"
        )
    for key in PAIR_OPTIONS:
        if getattr(dataset, key) is not None and dataset.type not in ("preference", "unpaired"):
            raise UserError(
                f"{recipe.where('datasets', name, key)}: datasets.{name}.{key}: is about pairs, so it needs the "
                f"type preference, found {dataset.type}"
            )
    if dataset.threshold is not None and dataset.type == "prompt":
        raise UserError(
            f"{recipe.where('datasets', name, 'threshold')}: datasets.{name}.threshold: says from which score an "
            f"answer is good, so it needs the type unpaired, found {dataset.type}"
        )
    where = f"{recipe.where('datasets', name, 'match')}: datasets.{name}.match"
    if dataset.match and not dataset.control:
        raise UserError(f"{where}: says whether the control has as many rows or as many tokens; add 'control: random'")
    if dataset.match == "tokens" and dataset.type == "prompt":
        raise UserError(f"{where}: prompts are matched by 'rows'; 'tokens' counts the tokens of completions")
