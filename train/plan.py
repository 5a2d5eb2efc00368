"""Plans the section ``train`` of a recipe: checks each training, and finds which of them are in the store already.

A training's id is a hash of its trainer's code, its options, its rows, and the model it starts from; a model that is
itself trained counts as its training's id. So all ids are known before anything is trained, and without torch: a plan
costs nothing, and a training that is in the store is not done again.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.chat.chat import template_for
from curate.models.engine import engine_of
from curate.models.model_ref import ModelRef
from curate.pipeline.run_state import RunState
from curate.steps.code_hash import code_hash
from curate.steps.find_step import step_names
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint
from schemas.recipe import Recipe, Training
from schemas.rows import DATASET_TABLES
from schemas.trained_models import is_reward_model, with_needed
from train.answer_scorers import AnswerScorer, answer_scorers
from train.evaluating.check_section import check_section
from train.finding.dotted_rules import check_dataset_type
from train.finding.dotted_trainer import DottedTrainer, is_dotted
from train.finding.find_trainer import Trainer, find_trainer
from train.launch.accelerate_config import process_count
from train.options import options
from train.options.best_model import check_eval_split, check_held_out_rows, effective_settings, evaluates
from train.rows.unpaired_labels import check_labels
from train.rows.unshown import check_shown
from train.same_vocabulary import check_vocabularies
from train.tables import MESSAGE_COLUMNS
from train.training_key import key_of_choices

# The keys of a training that only some trainers have (``NEEDS``), with an example of each.
NEEDED = {"rewards": "[constraints]", "teacher": "a model's name"}


@dataclass(frozen=True)
class PlannedTraining:
    """A training as it would be done now.

    Attributes:
        name: The training's name in the recipe.
        training: Its entry in the recipe.
        ref: The model it starts from.
        stage_id: The id of its stage; empty if the dataset is not built, so that the id is not known yet.
        stage: Its result, or None if it has not been done.
        rows: The rows of the split ``train``.
        eval_rows: The rows of the first other split.
        rewards: The scorers that reward answers, by name.
        teacher: The model to learn from, in distillation.
        depends_on: Everything that the result depends on; ``stage_id`` is its hash.
    """

    name: str
    training: Training
    ref: ModelRef
    stage_id: str
    stage: Stage | None
    rows: pl.DataFrame
    eval_rows: pl.DataFrame
    rewards: dict[str, AnswerScorer]
    teacher: ModelRef | None
    depends_on: dict[str, Any]


def plan_trainings(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    names: list[str] | None = None,
) -> list[PlannedTraining]:
    """Check trainings and find which are done, without doing any. Imports no torch.

    Args:
        recipe: The recipe.
        store: The store.
        datasets: The recipe's datasets that are built, by name.
        models: The models that the recipe's names stand for.
        names: Some trainings (those they start from are added); None for all.

    Returns:
        The plans, in the recipe's order.

    Raises:
        UserError: A name, a row or an option is wrong.
    """
    refs, plans = dict(models), []
    for name in selected(recipe, names):
        planned = plan_training(recipe, name, store, datasets, refs)
        adapter = options.stores_adapter(planned.training)
        refs[name] = (
            trained_ref(planned.stage, planned.ref, name)
            if planned.stage
            else planned.ref.trained(name, planned.stage_id, Path(), adapter=adapter)
        )
        plans.append(planned)
    return plans


def plan_training(
    recipe: Recipe, name: str, store: Store, datasets: dict[str, Stage], refs: dict[str, ModelRef]
) -> PlannedTraining:
    """Check one training and find whether it is done; ``refs`` holds the model that it starts from."""
    training, where = recipe.train[name], recipe.where("train", name)
    trainer = find_trainer(training.trainer, recipe.where("train", name, "trainer"))
    dataset_type = trainer.DATA or recipe.datasets[training.dataset].type
    rewards = _check(recipe, name, trainer, refs)
    ref = _local_model(training.model, refs, recipe.where("train", name, "model"), "trained")
    teacher = _teacher(recipe, name, ref, refs)
    needed = [ref, *([teacher] if teacher else []), *(model for scorer in rewards.values() for model in scorer.models)]
    if training.dataset not in datasets or any(one.untrained for one in needed):
        nothing = pl.DataFrame()
        return PlannedTraining(name, training, ref, "", None, nothing, nothing, rewards, teacher, {})
    table = datasets[training.dataset].read(DATASET_TABLES[dataset_type])
    rows, eval_rows = split_rows(table, training.eval_split)
    if rows.is_empty():
        raise UserError(
            f"{where}: the dataset {training.dataset!r} has no rows in the split 'train'"
            + (f" ({eval_rows.height} in {eval_rows['split'][0]!r})" if eval_rows.height else "")
            + f"; 'gristmill run {recipe.argument}' warns of what left them out, 'gristmill show decisions' lists it"
        )
    if dataset_type == "unpaired":
        check_labels(rows, f"{where}: train.{name}")
    evaluated = evaluates(effective_settings(training))
    if evaluated:
        check_held_out_rows(eval_rows, training, f"{where}: train.{name}")
    template = template_for(ref)
    if template is not None:
        place, first = f"{where}: train.{name}", first_model(recipe, training)
        check_shown(rows, dataset_type, template, training.unshown, place, first)
        if evaluated:
            check_shown(eval_rows, dataset_type, template, training.unshown, f"{place}, held-out rows", first)
    depends_on = {
        **key_of_choices(recipe, training, rewards, teacher),
        "source": code_hash(trainer.train, AnswerScorer, *getattr(trainer, "code", ())),
        "rewards": {name: scorer.key() for name, scorer in rewards.items()},
        "base": ref.identity,
        "rows": _hash_rows(rows, dataset_type),
        "eval_rows": _hash_rows(eval_rows, dataset_type) if evaluated else "",
    }
    stage_id = fingerprint(depends_on)[:12]
    stage = store.stage(stage_id)
    return PlannedTraining(name, training, ref, stage_id, stage, rows, eval_rows, rewards, teacher, depends_on)


def with_trained(recipe: Recipe, planned: PlannedTraining, store: Store, refs: dict[str, ModelRef]) -> PlannedTraining:
    """Return a plan with the models that trainings before it have made since, and with its result if it is there now.

    Args:
        recipe: The recipe.
        planned: The plan.
        store: The store.
        refs: The models by name, those of these trainings among them. Their identities are those of the plan.
    """
    training = planned.training
    rewards = answer_scorers(recipe, training.rewards, recipe.where("train", planned.name, "rewards"), refs)
    teacher = refs[training.teacher] if training.teacher is not None else None
    stage = store.stage(planned.stage_id)
    return replace(planned, ref=refs[training.model], teacher=teacher, rewards=rewards, stage=stage)


def _teacher(recipe: Recipe, name: str, student: ModelRef, refs: dict[str, ModelRef]) -> ModelRef | None:
    """Return the model that a training learns from, or None. Raises ``UserError`` if it cannot be learnt from."""
    training, where = recipe.train[name], recipe.where("train", name, "teacher")
    if training.teacher is None:
        return None
    teacher = _local_model(training.teacher, refs, where, "asked for the probabilities of tokens")
    if not is_dotted(training.trainer):  # some of TRL's distil between vocabularies
        check_vocabularies(student, teacher, f"{where}: train.{name}")
    return teacher


def _local_model(name: str, refs: dict[str, ModelRef], where: str, done: str) -> ModelRef:
    """Return a model whose weights can be loaded here. Raises ``UserError`` if there is none of this name."""
    if name not in refs:
        raise unknown("model", name, refs, where)
    if engine_of(refs[name]).remote:
        raise UserError(
            f"{where}: the model {name!r} is behind a server (engine {refs[name].engine!r}), so it cannot be "
            f"{done} here"
        )
    return refs[name]


def check_training_sections(recipe: Recipe) -> None:
    """Check the sections ``train`` and ``evaluate`` as far as the recipe alone allows, before anything is paid for.

    Raises:
        UserError: A trainer, an option, a dataset's type or a scorer is wrong.
    """
    for name, training in recipe.train.items():
        if is_reward_model(recipe, name) and name in step_names("score"):
            raise UserError(
                f"{recipe.where('train', name)}: train.{name}: a built-in scorer has that name; choose another, as a "
                f"reward model is a scorer by its training's name"
            )
        _check(recipe, name, find_trainer(training.trainer, recipe.where("train", name, "trainer")))
    check_section(recipe)


def selected(recipe: Recipe, names: list[str] | None) -> list[str]:
    """Return some trainings of a recipe and those that they need, in the recipe's order.

    Args:
        recipe: The recipe.
        names: Names of trainings; None or an empty list for all.

    Raises:
        UserError: A name is unknown; the error names the nearest one.
    """
    for name in names or []:
        if name not in recipe.train:
            raise unknown("training", name, recipe.train, recipe.where("train"))
    return with_needed(recipe, names or [*recipe.train])


def first_model(recipe: Recipe, training: Training) -> str:
    """Return the name of the model in ``models`` that a training starts from, before the trainings it builds on."""
    model = training.model
    while model in recipe.train:
        model = recipe.train[model].model
    return model


def split_rows(rows: pl.DataFrame, eval_split: str | None = None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return a dataset's rows to train on, and those of one other split: ``eval_split``, else the first by name."""
    split = pl.col("split").fill_null("train")
    others = rows.filter(split != "train")["split"].unique().sort()
    held_out = eval_split or (others[0] if len(others) else "")
    return rows.filter(split == "train"), rows.filter(split == held_out)


def trained_models(plans: list[PlannedTraining], models: dict[str, ModelRef]) -> dict[str, ModelRef]:
    """Return ``models`` and the models of the planned trainings that are done, by name."""
    return models | {p.name: trained_ref(p.stage, p.ref, p.name) for p in plans if p.stage}


def trained_model(state: RunState, name: str) -> ModelRef | None:
    """Return the model of a recipe's training, or None if it is not done; the ``trained`` of ``curate.run``.

    Args:
        state: The state of the recipe, with the datasets that the training needs.
        name: The training's name.
    """
    plans = plan_trainings(state.recipe, state.store, state.datasets, models_of(state), [name])
    return trained_models(plans, {}).get(name)


def models_of(state: RunState) -> dict[str, ModelRef]:
    """Return the models of a recipe's section ``models``, by name."""
    return {name: state.model(name, state.recipe.where("models", name)) for name in state.recipe.models}


def trained_ref(stage: Stage, base: ModelRef, name: str | None = None) -> ModelRef:
    """Return the model that a finished training made of ``base``."""
    manifest = stage.manifest
    return base.trained(name or manifest["name"], stage.stage_id, stage.folder("model"), adapter=manifest["adapter"])


def _check(
    recipe: Recipe, name: str, trainer: Trainer, refs: dict[str, ModelRef] | None = None
) -> dict[str, AnswerScorer]:
    """Check a training as far as the recipe alone allows; return its rewards."""
    training, where = recipe.train[name], recipe.where("train", name)
    found = recipe.datasets[training.dataset].type
    if trainer.DATA and found != trainer.DATA:
        raise UserError(
            f"{recipe.where('train', name, 'dataset')}: the trainer {training.trainer!r} needs a dataset "
            f"of type {trainer.DATA!r}; {training.dataset!r} is of type {found!r}"
        )
    options.check(training, where, process_count(recipe, training, where))
    takes = getattr(trainer, "TAKES", trainer.NEEDS)
    check_eval_split(recipe, name)
    for key, example in NEEDED.items():
        given = bool(getattr(training, key))
        if (given and key not in takes) or (not given and key in trainer.NEEDS):
            needs = f"takes no {key!r}" if given else f"needs {key!r}, such as {example}"
            raise UserError(f"{where}: the trainer {training.trainer!r} {needs}")
    if isinstance(trainer, DottedTrainer):
        check_dataset_type(trainer, found, training.dataset, recipe.where("train", name, "dataset"))
    return answer_scorers(recipe, training.rewards, recipe.where("train", name, "rewards"), refs)


def _hash_rows(rows: pl.DataFrame, dataset_type: str) -> str:
    """Return a hash of the columns that a training reads of its rows, in their order."""
    further = {"prompt": ("ground_truth", "metadata"), "unpaired": ("label",)}.get(dataset_type, ())
    columns = ["row_id", *MESSAGE_COLUMNS[dataset_type], "tools", *further]
    held = rows.select(c for c in columns if c in rows.columns)
    return hashlib.sha256(held.write_ndjson().encode("utf-8", "surrogatepass")).hexdigest()[:32]
