"""The state of a recipe while its stages are made or planned: its rows, datasets and models."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from curate.models.engine_settings import check_model, resolve_model
from curate.models.model_ref import ModelRef
from curate.models.weight_files import BUILT_IN
from curate.pipeline.hand_verdicts import SCORE, read_verdicts
from curate.pipeline.source_reader import SourceReader
from curate.storage.rows import RowSet
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import unknown
from schemas.recipe import Model, Recipe, Step
from schemas.round_model import RoundModel

# Finds the model of a training that is done, given the state, in which the datasets it needs are, and its name.
TrainedModel: TypeAlias = "Callable[[RunState, str], ModelRef | None]"


def none_trained(state: "RunState", name: str) -> ModelRef | None:
    """Return None: no training is done."""
    return None


class RunState:
    """The rows, datasets and models of a recipe; its verbs read them and add to them, in the order of the recipe.

    Attributes:
        recipe: The recipe.
        store: The store that its stages are in, or will be.
        sources: Reads the recipe's sources.
        prompts: The prompts that are still in.
        completions: The candidates that are still in.
        split_early: The prompts that there were before the first step that makes prompts and asks for a split.
        sources_read: The recipe's sources so far: the step, the source's name for people, and its stage.
        mixed: The stage that drew the prompts of the sources (``curate.pipeline.mix``), if there is one.
        datasets: The stage of each dataset, by its name; a dataset that is not made yet is missing.
        trained: Finds the models of trainings.
        waits_for: The training that the stages from here on wait for, or "".
        by_hand: What the labels by hand mean that count in the recipe.
        labels_applied: The ids of the rows whose labels stages have applied.
    """

    def __init__(
        self, recipe: Recipe, store: Store, sources: SourceReader, trained: TrainedModel = none_trained
    ) -> None:
        """Begin with no rows."""
        self.recipe, self.store, self.sources = recipe, store, sources
        self.trained, self.waits_for = trained, ""
        self.prompts = RowSet("prompts", "prompt_id")
        self.completions = RowSet("completions", "completion_id")
        self.split_early: RowSet | None = None
        self.sources_read: list[tuple[Step, str, Stage]] = []
        self.mixed: Stage | None = None
        self.datasets: dict[str, Stage] = {}
        self.by_hand, self.labels_applied = read_verdicts(recipe, store), set[str]()
        if recipe.by_hand is not False:
            self.completions.scores[SCORE] = []
        self._models: dict[str, ModelRef] = {}
        self._labels: Counter[str] = Counter()

    @property
    def shares_of(self) -> RowSet:
        """The prompts that the shares of splits are shares of (``curate.pipeline.split``)."""
        return self.split_early or self.prompts

    def label(self, *parts: str) -> str:
        """Return a label for a stage, unique in the recipe: ``completions.score.length``, then ``...length.2``."""
        name = ".".join(parts)
        self._labels[name] += 1
        return name if self._labels[name] == 1 else f"{name}.{self._labels[name]}"

    def model(self, name: str, where: str) -> ModelRef:
        """Return the model that a name in the recipe stands for (see ``recipe_model``)."""
        if name not in self._models:
            self._models[name] = recipe_model(self.recipe, name, where)
        return self._models[name]

    def take_trained(self, names: list[str]) -> None:
        """Take in the models of trainings whose datasets are there; note the first one that is not done."""
        for name in names:
            trained = None if self.waits_for else self.trained(self, name)
            if trained is None:
                self.waits_for = self.waits_for or name
            else:
                self._models[name] = trained


def recipe_model(recipe: Recipe, name: str, where: str) -> ModelRef:
    """Return the model that a name in a recipe stands for.

    A built-in name, and the sandbox, need no entry in ``models:``. For a training it is the model that it starts from,
    as ``untrained``. Loads nothing.

    Raises:
        UserError: There is no such model, or its settings are wrong; the message begins with ``where``.
    """
    model = recipe.models.get(name)
    if model is None and name in recipe.train:
        base = recipe_model(recipe, recipe.train[name].model, where)
        return replace(base, name=name, identity=f"{base.identity.removesuffix('>')}>")
    if model is None and name == "sandbox":
        return resolve_model(name, Model(model=name, engine=name))  # ``check_model`` is for engines of recipes
    if model is None:
        if name not in BUILT_IN:
            raise unknown("model", name, [*recipe.models, *BUILT_IN], where)
        model = Model(model=name)
    check_model(name, model, recipe.where("models", name))
    ref = resolve_model(name, model, recipe.path.parent)
    for made in model.trained if isinstance(model, RoundModel) else ():
        ref = ref.trained(name, made.training_id, Path(made.folder), adapter=made.adapter)
    return ref


def recipe_file(recipe: Recipe, path: str) -> Path:
    """Return a path in a recipe, which is relative to the recipe's folder."""
    return recipe.path.parent / Path(path).expanduser()
