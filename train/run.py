"""Runs the section ``train`` of a recipe: does the trainings that are not in the store yet, and records them."""

import gc
import importlib.util
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.allocator import give_back_freed_memory
from curate.models.gateway import Gateway
from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Answer
from curate.storage.stage import Stage, StageWriter
from curate.storage.store import Store
from schemas.errors import UserError, needs_extra
from schemas.progress import Progress, StageWarning
from schemas.recipe import Recipe
from train.answer_scorers import requests_for
from train.find_refusals import refusals_of
from train.job import Outcome, TrainingJob
from train.launch.accelerate_config import accelerate_config
from train.launch.run_trainer import run_trainer
from train.options.best_model import effective_settings
from train.options.config_fields import config_fields
from train.options.options import lora_options, stores_adapter
from train.options.reporting import with_names
from train.plan import PlannedTraining, plan_trainings, trained_ref, with_trained
from train.record import summary, training_record, write_tables
from train.reference_model import compared_with
from train.reports.trackers import WRITTEN, tracker_environment
from train.reports.write_reports import write_reports
from train.trl_check import check_with_trl


def train_recipe(
    recipe: Recipe,
    store: Store,
    datasets: dict[str, Stage],
    models: dict[str, ModelRef],
    names: list[str] | None,
    progress: Progress,
    gateway: Gateway | None = None,
) -> list[Stage]:
    """Do the trainings of a recipe that are not in the store yet, in its order.

    Args:
        recipe: The recipe.
        store: The store, locked by this process.
        datasets: The recipe's datasets that are built, by name.
        models: The models that the recipe's names stand for.
        names: Some trainings (those they start from are added); None for all.
        progress: The display to report to.
        gateway: Runs the model calls of rewards; if None, they belong to no run in the record of costs.

    Returns:
        The stages of all these trainings, done now or before.

    Raises:
        UserError: A name, a row or an option is wrong, or a dataset is not built.
    """
    refs, stages = dict(models), []
    plans = plan_trainings(recipe, store, datasets, models, names)
    for one in plans:
        if one.training.dataset not in datasets:
            raise UserError(
                f"{recipe.where('train', one.name, 'dataset')}: the dataset {one.training.dataset!r} is not "
                f"built yet; 'gristmill run {recipe.argument}' builds it"
            )
    looked = refusals_of(recipe, plans, datasets, models)
    check_with_trl(recipe, [one.name for one in plans if one.stage is None], models)
    for name, found in looked.items():
        for warning in found.warnings:
            progress.warn(StageWarning(f"train.{name}", warning))
    for one in plans:
        planned, of_dataset = with_trained(recipe, one, store, refs), datasets[one.training.dataset].stage_id
        left_out = looked[one.name].left_out
        stage = planned.stage or _train(recipe, planned, of_dataset, left_out, store, progress, gateway)
        progress.end(f"train.{one.name}", stage.manifest["result"], reused=planned.stage is not None)
        refs[one.name] = trained_ref(stage, planned.ref, one.name)
        stages.append(stage)
    return stages


def _train(
    recipe: Recipe,
    planned: PlannedTraining,
    of_dataset: str,
    left_out: pl.DataFrame,
    store: Store,
    progress: Progress,
    gateway: Gateway | None,
) -> Stage:
    """Do a training without some of its rows (``row_id`` and ``fate``); write its weights and tables into the store.

    ``of_dataset`` is the id of its dataset's stage.
    """
    lora = lora_options(planned.training)
    _check_installed(lora is not None)
    label, started = f"train-{planned.name}{recipe.limit_suffix}", time.monotonic()
    manifest = {
        "what": planned.depends_on,
        "name": planned.name,
        "adapter": stores_adapter(planned.training),
        "rows_in": planned.rows.height,
        "dataset": of_dataset,
    }
    run = f"{planned.name}-{planned.stage_id}"
    settings = with_names(
        effective_settings(planned.training), config_fields(planned.training.trainer), recipe.run_name, run
    )
    with (
        store.work_folder(planned.stage_id) as work_folder,  # its checkpoints stay if the training is interrupted
        nullcontext(gateway) if gateway else Gateway(store, progress) as gateway,
        store.new_stage(planned.stage_id, label, **manifest) as writer,
    ):
        answer = requests_for(planned.rewards, gateway, recipe.seed, f"{label}, rewards").answer
        rows = planned.rows.join(left_out, on="row_id", how="anti", maintain_order="left")
        job = _job(planned, rows, settings, recipe.seed, work_folder, progress, answer)
        progress.begin(f"train {planned.name}, loading {planned.ref.name}", None, "")
        with tracker_environment(job, planned.stage_id, store.tracker_folder("tensorboard", run)):
            outcome = _outcome(job, recipe, planned, writer)
        for file in sorted(work_folder.glob(WRITTEN)):
            writer.take_in(file)
        outcome = replace(outcome, fates=pl.concat([outcome.fates, left_out], how="diagonal"))
        record = training_record(planned, outcome, time.monotonic() - started, writer.finished_folder("model"))
        write_tables(writer, record, outcome)
        write_reports(writer, recipe, planned, record, outcome, store.stage(of_dataset), store, progress)
        writer.info["result"] = summary(outcome)
        gateway.unload_except([])
    gc.collect()  # a trainer and its model refer to each other; the next model needs the memory
    give_back_freed_memory()
    return writer.stage()


def _job(
    planned: PlannedTraining,
    rows: pl.DataFrame,
    settings: dict[str, Any],
    seed: int,
    work_folder: Path,
    progress: Progress,
    answer: Answer,
) -> TrainingJob:
    """Return a plan as the input of its trainer."""
    training = planned.training
    return TrainingJob(
        name=planned.name,
        trainer=training.trainer,
        ref=planned.ref,
        rows=rows,
        eval_rows=planned.eval_rows,
        settings=settings,
        lora=lora_options(training),
        rewards=planned.rewards,
        seed=seed,
        work_folder=work_folder,
        progress=progress,
        answer=answer,
        teacher=planned.teacher,
        unshown=training.unshown,
        quantize=training.quantize,
        early_stopping=training.early_stopping,
    )


def _outcome(job: TrainingJob, recipe: Recipe, planned: PlannedTraining, writer: StageWriter) -> Outcome:
    """Train, and merge the adapter where the recipe says so; the record says what it was compared with."""
    compared = compared_with(recipe, planned.training, planned.ref, planned.teacher)
    for role, model in compared.items():
        job.progress.detail(f"train {job.name}: {role} model: {model}")
    processes = accelerate_config(recipe, planned.training, recipe.where("train", job.name))
    folder, found = writer.folder("model"), dict[str, Any](compared)
    if not planned.training.merge:
        outcome = run_trainer(job, folder, processes)
    else:
        from train.merging.merge_trained import merge_trained  # imports torch

        outcome = run_trainer(job, writer.folder("adapter"), processes)
        found["merged"] = merge_trained(job, writer.folder("adapter"), folder)
    return replace(outcome, metrics=outcome.metrics | found)


def _check_installed(lora: bool) -> None:
    for package in ("trl", "peft") if lora else ("trl",):
        if importlib.util.find_spec(package) is None:
            raise needs_extra("training", "train")
