"""The recipe of one round, and the one that evaluates all rounds, made of the recipe that has the section ``rounds``.

The first round is the recipe as it is. In a later one the student's place is taken by the model that the round before
trained (``sft.round1``), an entry of ``models`` as any other: the stages, the reply log and the trainings need not know
of rounds. Expert iteration (Anthony et al. 2017, arXiv 1705.08439; Gulcehre et al. 2023, arXiv 2308.08998) goes on from
the last model; STaR (Zelikman et al. 2022, arXiv 2203.14465) and ReST-EM (Singh et al. 2023, arXiv 2312.06585) train
the first one anew in each round (``from: first``).
"""

from collections.abc import Iterable, Sequence
from typing import Any

from curate.steps.find_step import find_step
from schemas.check_rounds import names_model, round_student, round_training, rounds_of
from schemas.recipe import Model, Recipe, Step
from schemas.round_model import Made, RoundModel, RoundRecipe
from train.plan import PlannedTraining

Models = dict[str, RoundModel]  # the models that a round trained, by the names of the trainings


def round_recipe(recipe: Recipe, earlier: Sequence[Models]) -> Recipe:
    """Return the recipe of a round.

    Args:
        recipe: The recipe, which has the section ``rounds``.
        earlier: The models of the rounds before it, first to last.

    Returns:
        A recipe whose steps of ``completions`` ask the model of the round before where they named the student, and
        whose trainings start from that, unless they start from the first model. Prompts are made by the models that
        ``prompts`` names, in every round the same.
    """
    if not earlier:
        return recipe
    training, student = round_training(recipe), round_student(recipe)
    entries = {model_name(training, number): models[training] for number, models in enumerate(earlier, 1)}
    asked = students(recipe, len(earlier) + 1)
    starts = {student: asked[-1]} if rounds_of(recipe).from_ == "last" else {}
    values = {name: getattr(recipe, name) for name in Recipe.model_fields} | {
        "models": {**recipe.models, **entries},
        "completions": [made for step in recipe.completions for made in _steps(step, student, asked)],
        "train": {
            name: one.model_copy(update={"model": starts.get(one.model, one.model)})
            for name, one in recipe.train.items()
        },
    }
    return RoundRecipe.model_construct(None, **values, round=len(earlier) + 1)


def evaluation_recipe(recipe: Recipe, rounds: Sequence[Models]) -> Recipe:
    """Return a recipe that evaluates the models of all rounds, each under a name of its own (``sft.round2``).

    Args:
        recipe: The recipe, which has the sections ``rounds`` and ``evaluate``.
        rounds: The models of the rounds, first to last.
    """
    if recipe.evaluate is None:
        return recipe
    evaluated = recipe.evaluate.models
    entries: dict[str, Model] = {
        model_name(name, number): models[name]
        for number, models in enumerate(rounds, 1)
        for name in evaluated
        if name in models
    }
    names = [*(name for name in evaluated if name not in recipe.train), *entries]
    evaluation = recipe.evaluate.model_copy(update={"models": names})
    return recipe.model_copy(update={"models": {**recipe.models, **entries}, "evaluate": evaluation})


def students(recipe: Recipe, number: int) -> list[str]:
    """Return the names of the models whose answers a round's datasets are chosen from, the round's own student last.

    Args:
        recipe: The recipe, which has the section ``rounds``.
        number: The round's number, from 1.
    """
    training = round_training(recipe)
    every = [round_student(recipe), *(model_name(training, one) for one in range(1, number))]
    return every if rounds_of(recipe).data == "all" else every[-1:]


def model_name(training: str, number: int) -> str:
    """Return the name of the model that a round trained: ``sft.round2``."""
    return f"{training}.round{number}"


def models_of_round(recipe: Recipe, plans: Iterable[PlannedTraining]) -> Models:
    """Return the models that a round's trainings made.

    Args:
        recipe: The round's recipe.
        plans: The trainings, all of them done, in the recipe's order.
    """
    made: Models = {}
    for one in plans:
        if one.stage is None:
            raise AssertionError(f"train.{one.name} is not done")
        base = made.get(one.training.model) or recipe.models[one.training.model]
        below = base.trained if isinstance(base, RoundModel) else ()
        manifest = one.stage.manifest
        last = Made(
            name=model_name(one.name, recipe.round if isinstance(recipe, RoundRecipe) else 1),
            training_id=one.stage.stage_id,
            folder=str(one.stage.folder("model")),
            adapter=bool(manifest.get("adapter")),
        )
        made[one.name] = RoundModel.model_construct(
            model=base.model, engine=base.engine, trained=(*below, last), **base.settings
        )
    return made


def _steps(step: Step, student: str, asked: list[str]) -> list[Step]:
    """Return a step of ``completions`` as a round has it: once for each student that its answers are to be of.

    A step that makes candidates of candidates, or scores, asks the last student only.
    """
    if not names_model(step, student):
        return [step]
    writes = step.verb == "generate" and find_step("generate", step.use or "").makes == "ask"
    return [_asking(step, student, name) for name in (asked if writes else asked[-1:])]


def _asking(step: Step, student: str, name: str) -> Step:
    """Return a step that asks another model in the student's place."""

    def renamed(value: Any) -> Any:
        if isinstance(value, list):
            return [renamed(one) for one in value]
        if isinstance(value, dict):
            return {renamed(one): weight for one, weight in value.items()}
        return name if value == student else value

    named = {key: renamed(v) for key, v in step.settings.items() if key == "model" or key.endswith("_model")}
    return step.model_copy(update={"settings": step.settings | named})
