"""The way in: ``train`` does a recipe's trainings, ``evaluate`` compares its models. The command line uses both."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curate.api.run import AnyRecipe, AnyStore, as_progress, as_recipe, as_store, built
from curate.pipeline.run_record import RunRecord
from curate.storage.stage import Stage
from curate.storage.training_records import CURVES
from schemas.errors import UserError
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from schemas.trained_models import datasets_needed, with_needed
from train.benchmarks.benchmark import plan_benchmarks, run_benchmarks
from train.evaluating.check_section import check_break_down
from train.evaluating.evaluation import evaluate_recipe
from train.evaluating.evaluation_result import EvaluationResult
from train.evaluating.prompt_families import families_of
from train.evaluating.shown import show_by
from train.find_refusals import refusals_of
from train.plan import (
    check_training_sections,
    models_of,
    plan_trainings,
    selected,
    trained_model,
    trained_models,
)
from train.refusals.idle_settings import idle_settings
from train.reports.card.evaluated import add_to_cards
from train.reports.write_reports import unharmed
from train.rounds.loop import evaluate_rounds, train_rounds
from train.rounds.state import rounds_state
from train.run import train_recipe
from train.trl_check import check_with_trl

if TYPE_CHECKING:
    from train.export.export_model import ExportedModel

NO_CARD = "the evaluation is not in the model cards"


@dataclass(frozen=True, repr=False)
class TrainedModel:
    """A finished training.

    Attributes:
        name: Its name in the recipe.
        stage: The stage that holds the weights and the tables.
    """

    name: str
    stage: Stage

    @property
    def path(self) -> Path:
        """The folder of the weights, for ``transformers``, or of the adapter that LoRA made, for ``peft``.

        With ``merge: true`` it has whole weights; the adapter is in the folder ``adapter`` beside it.
        """
        return self.stage.folder("model")

    @property
    def curves(self) -> Path | None:
        """The picture (SVG) of the training's curves; None where it logged no figure, or before there were any."""
        path = self.stage.folder(CURVES)
        return path if path.exists() else None

    @cached_property
    def record(self) -> dict[str, Any]:
        """The training's row in the table ``trainings``: steps, seconds, settings, metrics and versions."""
        row = self.stage.read("trainings").row(0, named=True)
        return {k: json.loads(v) if k in ("settings", "metrics", "versions") else v for k, v in row.items()}

    @property
    def rows(self) -> pl.DataFrame:
        """The fate of every row of its split: ``row_id``, ``fate`` ('trained', or why it was left out), ``cut_tokens``.

        ``cut_tokens`` is how many of its learnt tokens ``max_length`` cut off; null where that is not known.
        """
        rows = self.stage.read("training_rows")
        if "cut_tokens" not in rows.columns:  # of a training of an earlier version
            rows = rows.with_columns(cut_tokens=pl.lit(None, pl.Int64))
        return rows.select("row_id", "fate", "cut_tokens")

    @property
    def losses(self) -> pl.DataFrame:
        """The loss of each row at each step, as in the table ``row_losses``; empty for online RL."""
        return self.stage.read("row_losses")

    def __repr__(self) -> str:
        """Return the name, the result line and the folder."""
        return f"TrainedModel({self.name!r}: {self.stage.manifest['result']}; {str(self.path)!r})"


def check(recipe: AnyRecipe) -> None:
    """Check the sections ``train`` and ``evaluate`` of a recipe as far as it alone allows, before anything is paid for.

    TRL's configs are built of the trainings' options, which imports TRL (some five seconds).

    Raises:
        UserError: A trainer, an option, a dataset's type or a scorer is wrong.
    """
    recipe = as_recipe(recipe)
    check_training_sections(recipe)
    check_with_trl(recipe, list(recipe.train), {})


def train(
    recipe: AnyRecipe, store: AnyStore, names: list[str] | str | None = None, progress: Progress | None = None
) -> dict[str, TrainedModel]:
    """Do a recipe's trainings. A finished one is reused, an interrupted one is resumed.

    Of a recipe with ``rounds`` all rounds are made (``train.rounds.loop``), their datasets and evaluations too.

    Args:
        recipe: A recipe, a mapping with its sections, or the path of its file.
        store: The store that holds its datasets, or its folder.
        names: A training, or some (those they start from are added); None for all.
        progress: Shows how far the training is; silent by default.

    Returns:
        The trained models by name, in the recipe's order; with ``rounds`` those of the best round.

    Raises:
        UserError: A dataset is not built, or a name, a row or an option is wrong.
    """
    recipe, progress = as_recipe(recipe), as_progress(progress)
    store = as_store(store, create=recipe.rounds is not None)
    names = [names] if isinstance(names, str) else names
    if not recipe.train:
        raise UserError(f"{recipe.path}: has no section 'train'")
    if recipe.rounds is not None:
        best = train_rounds(recipe, store, names, progress).chosen
        return {one.name: TrainedModel(one.name, best.stage(one.name)) for one in best.plans}
    wanted = selected(recipe, names)
    state = built(recipe, store, datasets_needed(recipe, wanted), trained_model)
    check_break_down(recipe, state.prompts)
    waiting = [name for name in wanted if recipe.train[name].dataset not in state.datasets]
    ready = [name for name in wanted if not set(with_needed(recipe, [name])) & {*waiting}]
    if waiting and (names or not ready):
        raise UserError(_waits(recipe, waiting[0], state.waits_for))
    with RunRecord(recipe, store, "train") as record, record.gateway(shown := record.shown(progress)) as gateway:
        stages = record.use(train_recipe(recipe, store, state.datasets, models_of(state), ready, shown, gateway))
    if waiting:
        progress.say(_waits(recipe, waiting[0], state.waits_for))
    return {name: TrainedModel(name, stage) for name, stage in zip(ready, stages, strict=True)}


def _waits(recipe: Recipe, name: str, training: str) -> str:
    """Return what to do where a training waits for another one, whose model makes its dataset."""
    return f"train.{name}: {_dataset_waits(recipe, recipe.train[name].dataset, training)}"


def _dataset_waits(recipe: Recipe, dataset: str, training: str) -> str:
    """Return what to do where a dataset is made with the model of a training that is not done."""
    return (
        f"the dataset {dataset!r} is made with the model of train.{training}; 'gristmill train {recipe.argument} "
        f"{training}' trains that, 'gristmill run {recipe.argument}' then makes the dataset"
    )


def evaluate(recipe: AnyRecipe, store: AnyStore, progress: Progress | None = None) -> EvaluationResult:
    """Evaluate a recipe's models on held-out prompts, all with the same scorers, or reuse the result.

    Args:
        recipe: A recipe, a mapping with its sections, or the path of its file.
        store: The store that holds its datasets and trained models, or its folder.
        progress: Shows how far the evaluation is; silent by default.

    Raises:
        UserError: A dataset is not built, a model is not trained, or nothing is held out.
    """
    recipe, store, progress = as_recipe(recipe), as_store(store, create=False), as_progress(progress)
    if recipe.evaluate is None:
        raise UserError(f"{recipe.path}: has no section 'evaluate'")
    if recipe.rounds is not None:
        return EvaluationResult(evaluate_rounds(recipe, rounds_state(recipe, store).rounds, store, progress))
    state = built(recipe, store, [recipe.evaluate.dataset], trained_model)
    if recipe.evaluate.dataset not in state.datasets:
        raise UserError(f"evaluate: {_dataset_waits(recipe, recipe.evaluate.dataset, state.waits_for)}")
    models = models_of(state)
    plans = plan_trainings(recipe, store, state.datasets, models)
    evaluated = [one for one in plans if one.name in recipe.evaluate.models and one.stage is not None]
    for name, looked in refusals_of(recipe, evaluated, state.datasets, models).items():
        for warning in looked.warnings:
            progress.warn(StageWarning(f"train.{name}", warning))
    for warning in idle_settings(recipe):
        progress.warn(StageWarning("evaluate", warning))
    models = trained_models(plans, models)
    benchmarks = plan_benchmarks(recipe, models)
    with RunRecord(recipe, store, "evaluate") as record, record.gateway(shown := record.shown(progress)) as gateway:
        stage = evaluate_recipe(
            recipe, store, state.datasets, models, shown, gateway=gateway, families=families_of(state)
        )
        record.use([stage])
        show_by(stage, recipe.evaluate.break_down)
        measured = run_benchmarks(benchmarks, recipe, store, progress, gateway)
        for one in record.use([stage, *measured]):
            unharmed(partial(add_to_cards, store, one), NO_CARD, "evaluate", progress)
    return EvaluationResult(stage, tuple(measured))


def export_model(
    name: str,
    folder: str | Path,
    *,
    format: str = "merged",
    store: AnyStore | None = None,
    recipe: AnyRecipe | None = None,
    dtype: str = "auto",
    llama_cpp: str | Path | None = None,
    outtype: str = "auto",
    check: int = 20,
    data: str | Path | None = None,
    data_address: str | None = None,
    force: bool = False,
    push: str | None = None,
    private: bool = False,
    say: Callable[[str], None] | None = None,
) -> "ExportedModel":
    """Write a model into a new folder that others load, and check that it writes what the trained model does.

    Args:
        name: A model of the recipe; a training of the store by its name, recipe and name, or id; a built-in model; a
            model's or an adapter's folder; a hub id.
        folder: The folder, which must not be there, or be empty. It is written whole or not at all.
        format: ``merged`` (weights without adapters), ``adapter`` (PEFT's form) or ``gguf`` (with a Modelfile).
        store: The store that holds the training, or its folder.
        recipe: The recipe whose model it is, a mapping with its sections, or the path of its file.
        dtype: The type of merged weights: ``float32``, ``bfloat16``, ``float16``; ``auto`` is the base model's.
        llama_cpp: For ``gguf``: the llama.cpp checkout whose converter is run.
        outtype: For ``gguf``: ``f32``, ``bf16``, ``f16``, ``q8_0`` or a type of llama-quantize; ``auto`` is that of
            the weights.
        check: On how many prompts greedy answers are compared; 0 for none.
        data: The folder of an export of its data (``curate.export_dataset``), whose checksums go onto the card.
        data_address: ``owner/name`` of that data on the hub, for the card.
        force: Whether an earlier export in the folder is replaced.
        push: ``owner/name`` on the hub, to push the folder to. An earlier export of the same model in the folder is
            then taken as it is.
        private: Whether the repository that ``push`` makes is private.
        say: Is given lines on what is done and found.

    Returns:
        The folder, and what was done and checked.

    Raises:
        UserError: The model or a setting is wrong, or the exported model is another than the trained one.
        Failed: The hub did not take what is pushed.
    """
    from curate.export.push import check_push, push_folder
    from train.export.export_model import ExportSettings, export

    check_push(push, private=private)
    opened = None if store is None else as_store(store, create=False)
    loaded = None if recipe is None else as_recipe(recipe)
    llama_cpp, data = (None if one is None else Path(one) for one in (llama_cpp, data))
    settings = ExportSettings(format, dtype, llama_cpp, outtype, check, data, data_address, force, push)
    say = say or (lambda line: None)
    done = export(name, Path(folder), settings, opened, loaded, say)
    if push is not None:
        push_folder(done.path, push, private=private, say=say, kind="model")
    return done
