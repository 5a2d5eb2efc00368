"""Runs a TRL trainer to its end: reports progress, saves checkpoints, resumes from them, saves the model."""

import json
import shutil
import time
from pathlib import Path
from typing import Any, Protocol

import polars as pl
from transformers import PrinterCallback, TrainerCallback

from curate.models.weight_files import note_start
from train.job import TrainingJob

# In a checkpoint: the rows recorded up to then. It is written last, so a checkpoint that has it is whole.
RECORD = "record.parquet"


class Recorder(Protocol):
    """Records a training row by row, and can continue an earlier record."""

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far."""

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""


def fit(trainer: Any, job: TrainingJob, recorder: Recorder, folder: Path) -> tuple[int, dict[str, Any]]:
    """Train, resuming from the last whole checkpoint if there is one, and save the model.

    Args:
        trainer: A TRL trainer.
        job: The training.
        recorder: Its record is saved with each checkpoint, and restored on resuming.
        folder: The folder for the weights (of an adapter, or of the whole model) and the tokenizer.

    Returns:
        The number of steps, and the metrics: the ``first`` and ``last`` value of each figure that TRL logs, and the
        whole ``history``.
    """
    trainer.remove_callback(PrinterCallback)  # it prints, now that TRL's own bar is off
    trainer.add_callback(FitCallback(job, recorder))
    checkpoint = last_checkpoint(job.work_folder)
    if checkpoint:
        recorder.restore(pl.read_parquet(checkpoint / RECORD))
        job.progress.say(f"train {job.name}: continuing after step {_step(checkpoint)}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.model.save_pretrained(folder)
    trainer.processing_class.save_pretrained(folder)
    if job.lora is not None:
        note_start(folder, job.ref)
    return trainer.state.global_step, summarize(trainer.state.log_history)


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


def last_checkpoint(work_folder: Path) -> Path | None:
    """Return the newest whole checkpoint that has a step left to do, or None.

    From the checkpoint of the last step, transformers would do one step too many.
    """
    checkpoints = work_folder.glob("checkpoint-*")
    return max((c for c in checkpoints if (c / RECORD).exists() and _unfinished(c)), key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rsplit("-", 1)[1])


def _unfinished(checkpoint: Path) -> bool:
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state["global_step"] < state["max_steps"]


class FitCallback(TrainerCallback):
    """Reports each step, and saves a checkpoint by the clock: once a minute, in at most 5% of the time."""

    def __init__(self, job: TrainingJob, recorder: Recorder) -> None:
        self.job, self.recorder = job, recorder
        self.note = ""
        self.saved_at = time.monotonic()
        self.step_ended_at = self.saved_at
        self.interval = 60.0  # seconds between two checkpoints

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show the bar, with the steps of an interrupted training done."""
        self.job.progress.begin(f"train {self.job.name}", state.max_steps, "steps")
        self.job.progress.advance(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Advance the bar, and ask for a checkpoint when the interval is over."""
        self.job.progress.advance(1, self.note)
        self.step_ended_at = time.monotonic()
        if self.step_ended_at - self.saved_at > self.interval and state.global_step < state.max_steps:
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **others: Any) -> None:
        """Keep the figure to show: the reward in GRPO (whose loss says nothing), else the loss."""
        figures = logs or {}
        name = next((n for n in ("reward", "loss") if isinstance(figures.get(n), int | float)), None)
        self.note = f"{name} {figures[name]:.3f}" if name else self.note

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Write the record into the checkpoint, and set the interval by how long saving took."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.recorder.recorded().write_parquet(folder / f".{RECORD}")
        (folder / f".{RECORD}").rename(folder / RECORD)
        self.saved_at = time.monotonic()
        self.interval = max(60.0, 20 * (self.saved_at - self.step_ended_at))
        for older in sorted(Path(args.output_dir).glob("checkpoint-*")):
            if older != folder and args.save_strategy == "no":
                shutil.rmtree(older, ignore_errors=True)
