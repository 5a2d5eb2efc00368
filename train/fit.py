"""Runs a TRL trainer to its end: reports progress, saves checkpoints, resumes from them, saves the model."""

import contextlib
import json
import logging
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from transformers import EarlyStoppingCallback, PrinterCallback, TrainerCallback

from schemas.errors import UserError
from train.best_checkpoint import best_model, choose_best
from train.checkpoints import prune, read_record, resume_point, step_of, write_record
from train.job import TrainingJob
from train.launch.batches import say_batches
from train.launch.ranks import agreed, is_first
from train.launch.saved_model import save_model
from train.learnt_positions import head_on_learnt_positions
from train.reports.before.given_rows import GivenRows
from train.reports.during.watch import Watch
from train.reports.trackers import guard_trackers
from train.stored_adapter import start_of
from train.synced_reference import load_reference, save_reference
from train.trl_setup import trl_errors

MISSING = "There were missing keys in the checkpoint model loaded"


class Recorder(Protocol):
    """Records a training row by row, and can continue an earlier record."""

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far."""

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""


def fit(
    trainer: Any, job: TrainingJob, recorder: Recorder, folder: Path, given: GivenRows
) -> tuple[int, dict[str, Any]]:
    """Train, resuming from the last whole checkpoint if there is one, and save the model.

    Args:
        trainer: A TRL trainer.
        job: The training.
        recorder: Its record is saved with each checkpoint, and restored on resuming.
        folder: The folder for the weights (of an adapter, or of the whole model) and the tokenizer.
        given: The rows that it is given, counted, to be told before the first step.

    Returns:
        The number of steps, and the metrics: the ``first`` and ``last`` value of each figure that TRL logs, the whole
        ``history``, what was known before the first step and measured since (``facts``), and where the best model is
        kept, which that is (``best``).
    """
    trainer.remove_callback(PrinterCallback)  # it prints, now that TRL's own bar is off
    guard_trackers(trainer, job)
    if job.early_stopping:
        trainer.add_callback(EarlyStoppingCallback(job.early_stopping.patience, job.early_stopping.threshold))
    watch, callback = Watch(job, trainer, given), FitCallback(job, recorder, trainer)
    trainer.add_callback(watch)
    trainer.add_callback(callback)
    trainer.args.save_total_limit = None  # ``FitCallback`` keeps to it: TRL would remove the last whole one too early
    checkpoint = agreed(resume_point(job.work_folder) if is_first() else None)
    if checkpoint:
        trainer.args.eval_on_start = False  # it was done, and is recorded
        if is_first():  # the first process has the record of all
            recorder.restore(read_record(checkpoint))
        load_reference(trainer, checkpoint)
        _go_on_counting(trainer, checkpoint)
        job.progress.say(f"train {job.name}: continuing after step {step_of(checkpoint)}")
    say_batches(trainer, job)
    start = start_of(trainer.model) if job.lora is not None else {}
    with (
        _metric_errors(job),
        trl_errors(job, lambda: callback.began),
        without_tied_warning(trainer.model),
        head_on_learnt_positions(trainer),
    ):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    measured = watch.metrics()
    save_model(trainer, job, folder, start)
    return trainer.state.global_step, summarize(trainer.state.log_history) | measured | best_model(trainer)


def summarize(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the ``first`` and ``last`` value of each figure in TRL's log, and the log itself as ``history``."""
    logged = [h for h in history if "train_runtime" not in h]  # the closing entry repeats, and is wrong after a resume
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in logged:
        first = entry | first
        last = last | entry
    figures = sorted(set(last) - {"step", "epoch"})
    return {name: {"first": first[name], "last": last[name]} for name in figures} | {"history": logged}


def _go_on_counting(trainer: Any, checkpoint: Path) -> None:
    """Let TRL's count of tokens (``num_tokens`` in its log) go on where the checkpoint has it; TRL begins at 0."""
    if hasattr(trainer, "_total_train_tokens"):
        state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        counts = [entry["num_tokens"] for entry in state["log_history"] if "num_tokens" in entry]
        trainer._total_train_tokens = counts[-1] if counts else 0


@contextlib.contextmanager
def without_tied_warning(model: Any) -> Generator[None]:
    """Leave out transformers' warning that a best model's file lacks weights that the model ties to others."""
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())

    def is_news(record: logging.LogRecord) -> bool:
        message = record.getMessage()
        return MISSING not in message or not set(re.findall(r"'([^']+)'", message)) <= tied

    logger = logging.getLogger("transformers.trainer")
    logger.addFilter(is_news)
    try:
        yield
    finally:
        logger.removeFilter(is_news)


@contextlib.contextmanager
def _metric_errors(job: TrainingJob) -> Generator[None]:
    """Turn transformers' error for a measure that no evaluation gives into a ``UserError`` that names those there are.

    It is known after the first evaluation.
    """
    try:
        yield
    except KeyError as error:
        message = str(error.args[0]) if error.args else ""
        if "metric_for_best_model" not in message:
            raise
        raise UserError(f"train.{job.name}: {' '.join(message.split())}") from error


class FitCallback(TrainerCallback):
    """Saves a checkpoint by the clock: once a minute, in at most 5% of the time."""

    def __init__(self, job: TrainingJob, recorder: Recorder, trainer: Any) -> None:
        self.job, self.recorder, self.trainer = job, recorder, trainer
        self.began = False
        args = trainer.args
        # Without steps to save at, only the last checkpoint is of use, and the best one.
        self.kept = args.save_total_limit or (1 if args.save_strategy in ("no", "best") else None)
        self.saved_at = time.monotonic()
        self.step_ended_at = self.saved_at
        self.interval = 60.0  # seconds between two checkpoints

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Note that the steps begin."""
        self.began = True

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Ask for a checkpoint when the interval is over."""
        self.step_ended_at = time.monotonic()
        due = self.step_ended_at - self.saved_at > self.interval and state.global_step < state.max_steps
        if agreed(due):
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Make the checkpoint whole, set the interval by how long saving took, and remove older checkpoints."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        choose_best(args, state)
        recorded = self.recorder.recorded()  # of all processes, which have saved their part of the checkpoint by now
        if is_first():
            state.save_to_json(str(folder / "trainer_state.json"))
            save_reference(self.trainer, folder)
            write_record(folder, recorded)
        self.saved_at = time.monotonic()
        self.interval = max(60.0, 20 * (self.saved_at - self.step_ended_at))
        if is_first():
            prune(folder.parent, self.kept, state.best_model_checkpoint)
