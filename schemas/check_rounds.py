"""Checks the section ``rounds`` of a recipe, and says which training, model, scorer and split it means."""

from typing import Any

from schemas.errors import UserError, unknown
from schemas.recipe import Recipe, Step
from schemas.rounds import Rounds
from schemas.trained_models import is_reward_model

OF_SCORES = ("by", "split", "patience", "threshold")  # keys that say when rounds end


def rounds_of(recipe: Recipe) -> Rounds:
    """Return the section ``rounds`` of a recipe that has one."""
    if recipe.rounds is None:
        raise UserError(f"{recipe.path}: has no section 'rounds'")
    return recipe.rounds


def round_training(recipe: Recipe) -> str:
    """Return the name of the training whose model is the next round's student.

    Raises:
        UserError: The recipe does not name it, and several could be meant, or none.
    """
    rounds, where = rounds_of(recipe), recipe.where("rounds")
    if rounds.train is not None:
        if rounds.train not in recipe.train:
            raise unknown("training", rounds.train, recipe.train, recipe.where("rounds", "train"))
        if is_reward_model(recipe, rounds.train):
            raise UserError(
                f"{recipe.where('rounds', 'train')}: rounds.train: {rounds.train!r} makes a reward model, which writes "
                f"no answers"
            )
        return rounds.train
    started_from = {one.model for one in recipe.train.values()}
    found = [name for name in recipe.train if name not in started_from and not is_reward_model(recipe, name)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise UserError(f"{where}: rounds: needs a training in 'train', whose model is the student of the next round")
    raise UserError(
        f"{where}: rounds: which training makes the student of the next round? name it, such as "
        f"{{most: {rounds.most}, train: {found[0]}}} (there are: {', '.join(found)})"
    )


def round_student(recipe: Recipe) -> str:
    """Return the name of the model whose place the model just trained takes."""
    rounds = rounds_of(recipe)
    return rounds.student or _start(recipe, round_training(recipe))


def round_scorer(recipe: Recipe) -> str | None:
    """Return the scorer that says whether a round is better; None where the recipe evaluates nothing."""
    return None if recipe.evaluate is None else rounds_of(recipe).by or next(iter(recipe.evaluate.by), None)


def round_split(recipe: Recipe) -> str | None:
    """Return the held-out split on which a round must be better; None where the recipe evaluates nothing."""
    splits = evaluated_splits(recipe)
    return rounds_of(recipe).split or (min(splits) if splits else None)


def evaluated_splits(recipe: Recipe) -> list[str]:
    """Return the splits that the recipe evaluates on."""
    if recipe.evaluate is None:
        return []
    wanted = recipe.evaluate.split
    return [wanted] if isinstance(wanted, str) else list(wanted or recipe.splits)


def names_model(step: Step, name: str) -> bool:
    """Return whether a step asks a model: whether it is named in ``model``, ``critic_model`` and the like."""
    values = [value for key, value in step.settings.items() if key == "model" or key.endswith("_model")]
    return any(name == value or (isinstance(value, list | dict) and name in value) for value in values)


def check_rounds(recipe: Recipe) -> None:
    """Raise ``UserError`` where ``rounds`` names something that the recipe does not have, or would repeat itself."""
    rounds = recipe.rounds
    if rounds is None:
        return
    training, student, where = round_training(recipe), round_student(recipe), recipe.where("rounds")
    if student not in recipe.models:
        raise unknown("model (in 'models')", student, recipe.models, recipe.where("rounds", "student"))
    start = _start(recipe, training)
    if rounds.from_ == "last" and start != student:
        raise UserError(
            f"{where}: rounds: train.{training} starts from {start!r}, not from the student {student!r}; with "
            f"from: first every round starts from {start!r}"
        )
    if not any(step.verb == "generate" and names_model(step, student) for step in recipe.completions):
        raise UserError(
            f"{where}: rounds: no step 'generate' of 'completions' asks {student!r}, so every round would be the "
            f"first; expected one with model: {student}"
        )
    for step in (one for one in recipe.completions if one.verb == "generate" and names_model(one, training)):
        raise UserError(
            f"{recipe.step_where(step)}: generate: asks the model of train.{training}, which is the student of the "
            f"next round; ask {student!r}, which it becomes"
        )
    taken = [name for name in recipe.models if any(name.startswith(f"{one}.round") for one in recipe.train)]
    if taken:
        raise UserError(
            f"{recipe.where('models', taken[0])}: models.{taken[0]}: is the name of a round's model; choose another"
        )
    _check_scores(recipe, rounds, training)


def _check_scores(recipe: Recipe, rounds: Rounds, training: str) -> None:
    evaluation, where = recipe.evaluate, recipe.where("rounds")
    if evaluation is None:
        for key in (one for one in OF_SCORES if one in rounds.model_fields_set):
            raise UserError(
                f"{recipe.where('rounds', key)}: rounds.{key}: the recipe has no section 'evaluate', so no round has a "
                f"held-out score"
            )
        return
    if training not in evaluation.models:
        raise UserError(
            f"{recipe.where('evaluate', 'models')}: evaluate.models: expected {training!r} among them: its score says "
            f"whether a round is better"
        )
    _check_name("scorer of 'evaluate'", rounds.by, evaluation.by, recipe, "by")
    _check_name("split that is evaluated", rounds.split, evaluated_splits(recipe), recipe, "split")
    if round_split(recipe) in (None, "train"):
        raise UserError(
            f"{where}: rounds: needs a split that is held out and evaluated, such as split: {{dev: 0.1, test: 0.1}}"
        )


def _check_name(what: str, name: str | None, known: Any, recipe: Recipe, key: str) -> None:
    if name is not None and name not in known:
        raise unknown(what, name, known, recipe.where("rounds", key))


def _start(recipe: Recipe, training: str) -> str:
    """Return the model in ``models`` that a training starts from, before the trainings it builds on."""
    model = recipe.train[training].model
    while model in recipe.train:
        model = recipe.train[model].model
    return model
