"""The arms of a comparison: each name is a dataset of the recipe, or a training with the trainings it builds on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.errors import UserError, unknown
from schemas.recipe import Recipe, Training
from schemas.trained_models import is_reward_model
from train.plan import first_model

LEAST, MOST = 1, 6
CONTROL = "random"  # as the name of an arm: the control of the first other arm's dataset
KINDS = ("train", "datasets")  # sections that may stand before a name: train.sft, datasets.sft


@dataclass(frozen=True)
class Arm:
    """One arm of a comparison.

    Attributes:
        name: The name that it was given.
        training: The name of its training in the recipe of the arms.
        dataset: The dataset that this training is trained on.
        chain: The trainings that it builds on, the first one first, and its own last.
    """

    name: str
    training: str
    dataset: str
    chain: tuple[str, ...]

    def is_on(self, other: "Arm") -> bool:
        """Return whether this arm goes on training the model of another arm."""
        return other.training in self.chain[:-1]


def level(arms: Sequence[Arm], arm: Arm) -> int:
    """Return how many of the arms an arm goes on from: it has more steps and tokens than they have, by design."""
    return sum(arm.is_on(other) for other in arms)


def find_arms(recipe: Recipe, names: Sequence[str], template: str | None = None) -> tuple[Recipe, list[Arm]]:
    """Find the arms of a comparison.

    Args:
        recipe: The recipe.
        names: The arms: datasets, trainings, or ``random`` for the control of the first one's dataset. A name of both
            is written as ``train.NAME`` or ``datasets.NAME``.
        template: The training whose options the datasets are trained with; None for that of each dataset.

    Returns:
        The recipe, in which every arm has a training, and the arms in the order of ``names``.

    Raises:
        UserError: A name is unknown, is there twice or may mean two things, or the arms start from different models.
    """
    if not LEAST <= len(names) <= MOST:
        raise UserError(f"--arms: expected {LEAST} to {MOST} names, such as curated,random; found {len(names)}")
    if not recipe.train:
        raise UserError(f"{recipe.path}: has no section 'train', whose trainings the arms are trained as")
    if template is not None and template not in recipe.train:
        raise unknown("training", template, recipe.train, recipe.where("train"))
    targets = {name: _target(recipe, name) for name in names if name != CONTROL or _is_known(recipe, name)}
    if not targets:
        raise UserError(f"--arms: {CONTROL!r} is the control of another arm's dataset; name that arm too")
    if len(targets) < len(set(names)):
        targets[CONTROL] = ("datasets", _control(recipe, targets))
    found: dict[str, str] = {name: key for name, (kind, key) in targets.items() if kind == "train"}
    for name, (kind, key) in targets.items():
        if kind == "datasets":
            recipe, found[name] = _training_on(recipe, key, template, [*found.values()])
    arms = [_arm(recipe, name, found[name]) for name in names]
    _check(recipe, arms)
    return recipe, arms


def _is_known(recipe: Recipe, name: str) -> bool:
    return name in recipe.train or name in recipe.datasets


def _target(recipe: Recipe, name: str) -> tuple[str, str]:
    """Return the section that an arm's name is of (``train`` or ``datasets``), and its name there."""
    section, _, rest = name.partition(".")
    held: Mapping[str, Mapping] = {"train": recipe.train, "datasets": recipe.datasets}
    if section in KINDS and rest and not _is_known(recipe, name):
        if rest not in held[section]:
            raise unknown("training" if section == "train" else "dataset", rest, held[section], "--arms")
        return section, rest
    if name in recipe.train and name in recipe.datasets and recipe.train[name].dataset != name:
        raise UserError(
            f"--arms {name}: is a dataset, and a training on {recipe.train[name].dataset!r}; write datasets.{name} or "
            f"train.{name}"
        )
    if not _is_known(recipe, name):
        raise unknown("arm (a dataset or a training)", name, [*recipe.datasets, *recipe.train], "--arms")
    return ("train" if name in recipe.train else "datasets"), name


def _control(recipe: Recipe, targets: Mapping[str, tuple[str, str]]) -> str:
    """Return the control of the first arm's dataset. Raises ``UserError`` where it has none."""
    datasets = [recipe.train[key].dataset if kind == "train" else key for kind, key in targets.values()]
    for dataset in datasets:
        if f"{dataset}_{CONTROL}" in recipe.datasets:
            return f"{dataset}_{CONTROL}"
    where = recipe.where("datasets", datasets[0])
    raise UserError(
        f"{where}: --arms {CONTROL}: datasets.{datasets[0]} has no random control; set 'control: random' and 'match: "
        f"tokens' in it, and 'gristmill run {recipe.argument}'"
    )


def _training_on(recipe: Recipe, dataset: str, template: str | None, others: list[str]) -> tuple[Recipe, str]:
    """Return the name of the training of a dataset's arm, and the recipe, to which it may have been added."""
    own = [n for n, one in recipe.train.items() if one.dataset == dataset and not is_reward_model(recipe, n)]
    if template is None and len(own) > 1:
        named = " and ".join(f"train.{one}" for one in own)
        raise UserError(f"--arms {dataset}: {named} train on it; name one of them as the arm, or set --train")
    if template is None and own:
        return recipe, own[0]
    template = template or _like(recipe, dataset, others)
    if recipe.train[template].dataset == dataset:
        return recipe, template
    return with_training(
        recipe,
        dataset if dataset not in recipe.train else f"{template}_{dataset}",
        recipe.train[template].model_copy(update={"dataset": dataset}),
        template,
    )


def _like(recipe: Recipe, dataset: str, others: list[str]) -> str:
    """Return the training whose options a dataset without a training gets: its own dataset's, or another arm's."""
    entry = recipe.datasets[dataset]
    of_base = [name for name, one in recipe.train.items() if one.dataset == entry.control_of]
    alike = [name for name in others if recipe.datasets[recipe.train[name].dataset].type == entry.type]
    chosen = [name for name in of_base if name in others] or of_base or alike
    if len(chosen) == 1 or (chosen and chosen[0] in others):
        return chosen[0]
    several = f" ({' or '.join(chosen)})" if chosen else ""
    raise UserError(
        f"{recipe.where('datasets', dataset)}: --arms {dataset}: no training of the recipe is trained on it; set "
        f"--train to the one{several} whose options it gets"
    )


def with_training(recipe: Recipe, name: str, training: Training, like: str) -> tuple[Recipe, str]:
    """Return a recipe with a training added, whose lines are those of another one, and the training's name."""
    lines = {
        key.replace(f"train/{like}", f"train/{name}", 1): line
        for key, line in recipe.lines.items()
        if key == f"train/{like}" or key.startswith(f"train/{like}/")
    }
    update = {"train": {**recipe.train, name: training}, "lines": recipe.lines | lines}
    return recipe.model_copy(update=update), name


def _arm(recipe: Recipe, name: str, training: str) -> Arm:
    chain = [training]
    while recipe.train[chain[0]].model in recipe.train:
        chain.insert(0, recipe.train[chain[0]].model)
    return Arm(name, training, recipe.train[training].dataset, tuple(chain))


def _check(recipe: Recipe, arms: list[Arm]) -> None:
    """Refuse arms that are the same training, that make no model that writes, or that start from different models."""
    seen: dict[str, str] = {}
    for arm in arms:
        where = f"{recipe.where('train', arm.training)}: --arms {arm.name}"
        if arm.training in seen:
            raise UserError(f"{where}: is the training {arm.training!r}, as is the arm {seen[arm.training]!r}")
        if is_reward_model(recipe, arm.training):
            raise UserError(f"{where}: makes a reward model, which answers no prompts; name a model that writes")
        seen[arm.training] = arm.name
    starts = {first_model(recipe, recipe.train[arm.training]): arm.name for arm in reversed(arms)}
    if len(starts) > 1:
        said = ", ".join(f"{name!r} from {start!r}" for start, name in reversed(starts.items()))
        raise UserError(f"{recipe.where('train')}: the arms start from different models: {said}; expected one")
