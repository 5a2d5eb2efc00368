"""The recipe of each seed of a comparison: the same trainings with another seed, under names of their own.

A training's seed decides the order of its rows, the start of its adapter and what it samples. The recipe's own seed is
the first one, so that what the recipe has trained already counts. The datasets stay those of the recipe's own seed.
"""

from collections.abc import Sequence

from schemas.errors import UserError
from schemas.recipe import Recipe, Training
from schemas.trained_models import with_needed
from train.arms.arms import Arm

MOST = 100
MOST_SEED = 2**32 - 1  # of numpy
SEEDS = ("seed", "data_seed")  # options of TRL that would take the place of the recipe's seed


def seeds_of(recipe: Recipe, count: int) -> list[int]:
    """Return the seeds of a comparison: the recipe's own, and those that follow it.

    Args:
        recipe: The recipe.
        count: How many; 1 to 100.

    Raises:
        UserError: The number is out of range, or a seed would be.
    """
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MOST:
        raise UserError(f"--seeds: expected a whole number from 1 to {MOST}, found {count!r:.40}")
    if recipe.seed + count > MOST_SEED + 1:
        raise UserError(
            f"{recipe.where('seed')}: seed: {recipe.seed}: --seeds {count}: the last seed would be "
            f"{recipe.seed + count - 1}, and {MOST_SEED} is the largest that trainings take; set a smaller one"
        )
    return [recipe.seed + one for one in range(count)]


def check_seeds(recipe: Recipe, arms: Sequence[Arm]) -> None:
    """Raise ``UserError`` where a training of an arm has a seed of its own, so that all seeds would be one."""
    for name in trainings_of(recipe, arms):
        for key in SEEDS:
            if recipe.train[name].settings.get(key) is not None:
                raise UserError(
                    f"{recipe.where('train', name, key)}: train.{name}: sets {key!r} itself, so that all seeds would "
                    f"be one training; remove it: the recipe's own 'seed' decides"
                )


def trainings_of(recipe: Recipe, arms: Sequence[Arm]) -> list[str]:
    """Return the trainings of all arms and those that they need, in the recipe's order."""
    return with_needed(recipe, [arm.training for arm in arms])


def name_of_seed(recipe: Recipe, name: str, seed: int) -> str:
    """Return the name of a training on a seed: its own on the recipe's seed, else such as ``sft.seed8``."""
    return name if seed == recipe.seed else f"{name}.seed{seed}"


def recipe_of_seed(recipe: Recipe, arms: Sequence[Arm], seed: int) -> Recipe:
    """Return the recipe that trains and evaluates all arms on one seed; ``evaluate`` has the start model first.

    Args:
        recipe: The recipe of the arms, with a section ``evaluate``.
        arms: The arms.
        seed: The seed.
    """
    names = {one: name_of_seed(recipe, one, seed) for one in trainings_of(recipe, arms)}
    steps = {step.name for step in recipe.completions if step.verb == "score"}
    train, lines = dict(recipe.train), dict(recipe.lines)
    for name, new in names.items():
        train[new] = _renamed(recipe.train[name], names, steps)
        for key, line in recipe.lines.items():
            if key == f"train/{name}" or key.startswith(f"train/{name}/"):
                lines[key.replace(f"train/{name}", f"train/{new}", 1)] = line
    start = recipe.train[arms[0].chain[0]].model
    models = [start, *(names[arm.training] for arm in arms)]
    evaluation = recipe.evaluate.model_copy(update={"models": models}) if recipe.evaluate else None
    return recipe.model_copy(update={"seed": seed, "train": train, "lines": lines, "evaluate": evaluation})


def _renamed(training: Training, names: dict[str, str], steps: set[str]) -> Training:
    """Return a training that starts from, learns from and is rewarded by the models of its own seed."""
    teacher = training.teacher
    update = {
        "model": names.get(training.model, training.model),
        "teacher": names.get(teacher, teacher) if teacher is not None else None,
        "rewards": [one if one in steps else names.get(one, one) for one in training.rewards],
    }
    return training.model_copy(update=update)
