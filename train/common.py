"""What all trainers share: our few defaults, the model, the progress, checkpoints to go on from, and saving.

Everything not named here is TRL's own default, and what the recipe gives wins over both.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import polars as pl
import torch
from huggingface_hub import constants
from transformers import PrinterCallback, TrainerCallback

from curate.models.weight_files import note_start
from curate.models.weights import load, load_classifier
from schemas.errors import UserError
from train.data import refuse, to_dataset
from train.job import Job

CUT = "longer than max_length: none of the answer is left"
RECORD = "record.parquet"  # in a checkpoint: what had been recorded by then; written last, so it marks a whole one
# TRL tells its makers of each training (the model's architecture, the device ...) unless told not to. We tell it not
# to, where the user has not decided; by the constant too, since the library may have read the variable before.
if "HF_HUB_DISABLE_TELEMETRY" not in os.environ:
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    constants.HF_HUB_DISABLE_TELEMETRY = True


class Recorder(Protocol):
    """What records a training, row by row, and can go on from what it recorded before."""

    def recorded(self) -> pl.DataFrame:
        """All that was recorded so far."""

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from what an interrupted training recorded."""


def configure(job: Job, kind: type) -> Any:
    """Build TRL's config. Raises ``UserError`` for what TRL itself refuses."""
    ours: dict[str, Any] = {
        "seed": job.seed,
        "disable_tqdm": True,  # ``Progress`` reports
        "logging_steps": 1,  # a short training would otherwise end without a single figure
        "save_strategy": "no",  # ``Progress`` saves by the clock, which suits any size of model and of data
    }
    if not torch.cuda.is_available():
        ours |= {"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False}
    try:
        return kind(output_dir=str(job.work), **(ours | job.settings))
    except (ValueError, TypeError) as error:
        raise UserError(f"train.{job.name}: {kind.__name__}: {str(error).strip().splitlines()[0]}") from error


def load_model(job: Job, *, on_disk: bool = False) -> tuple[Any, Any]:
    """Load the model to start from, earlier adapters merged, and its tokenizer.

    Full weights are trained in float32 (TRL computes in bfloat16 on a GPU); under LoRA the frozen weights take the
    device's usual type. ``on_disk`` saves a merged model and names that place in its config, for a trainer that loads
    its reference from there again.
    """
    model, tokenizer = load(job.ref, torch.float32 if job.lora is None else None)
    if on_disk and job.ref.adapters:
        start = job.work / "start"
        model.save_pretrained(start)
        model.config._name_or_path = str(start)
    return model.train(), tokenizer


def load_reward_model(job: Job) -> tuple[Any, Any]:
    """Load the model to start from with one output on top; its weights are drawn by the seed where there are none."""
    torch.manual_seed(job.seed)
    model, tokenizer = load_classifier(job.ref, torch.float32 if job.lora is None else None, new_head=True)
    return model.train(), tokenizer


def lora_config(job: Job, task: str = "CAUSAL_LM") -> Any:
    """The adapter to train, or None for full weights. Defaults are TRL's, but every linear layer gets an adapter.

    ``task`` is PEFT's name for what the model does: of a classifier (``SEQ_CLS``) the head is trained and saved too.
    """
    if job.lora is None:
        return None
    from peft import LoraConfig

    defaults = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    try:
        return LoraConfig(task_type=task, **(defaults | job.lora))
    except (ValueError, TypeError) as error:
        raise UserError(f"train.{job.name}.lora: {str(error).strip().splitlines()[0]}") from error


def evaluates(job: Job) -> bool:
    """Whether the recipe asks TRL to evaluate during training. Raises ``UserError`` if there is nothing to do it on."""
    if job.settings.get("eval_strategy", "no") in ("no", False):
        return False
    if job.eval_rows.is_empty():
        raise UserError(
            f"train.{job.name}: eval_strategy is set, but all rows of the dataset are for training; "
            f"add a 'split', such as {{test: 0.1}}"
        )
    return True


def usable(job: Job, kind: str) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Check the rows. Returns those to train on, those to evaluate on, and the dropped ones (row_id, fate)."""
    dropped = refuse(job.rows, kind)
    rows = job.rows.join(dropped, on="row_id", how="anti", maintain_order="left")
    if rows.is_empty():
        raise nothing_left(job, dropped)
    held_out = job.eval_rows if evaluates(job) else job.eval_rows.clear()
    return rows, held_out.join(refuse(held_out, kind), on="row_id", how="anti", maintain_order="left"), dropped


def datasets(rows: pl.DataFrame, held_out: pl.DataFrame, kind: str) -> dict[str, Any]:
    """The trainer's arguments ``train_dataset`` and ``eval_dataset``; a row's index counts on from one to the other."""
    from datasets import disable_progress_bars

    disable_progress_bars()
    evaluation = to_dataset(held_out, kind, first=rows.height) if held_out.height else None
    return {"train_dataset": to_dataset(rows, kind), "eval_dataset": evaluation}


def nothing_left(job: Job, dropped: pl.DataFrame) -> UserError:
    """The error for a training none of whose rows can be used."""
    reasons = dropped["fate"].value_counts(sort=True).rows()
    return UserError(f"train.{job.name}: no row is left to train on: " + ", ".join(f"{n} x {w}" for w, n in reasons))


def fates(
    rows: pl.DataFrame, dropped: pl.DataFrame, too_long: set[str], seen: set[str] | None, *, why: str = CUT
) -> pl.DataFrame:
    """Say of every row of the train split what became of it. ``seen`` is None where rows cannot be told apart.

    ``why`` is the fate of those that are too long.
    """
    cut = pl.col("row_id").is_in(list(too_long))
    missed = pl.lit(seen is not None) & ~pl.col("row_id").is_in(list(seen or ()))
    fate = (
        pl.when(cut)
        .then(pl.lit(why))
        .when(missed)
        .then(pl.lit("not reached before the last step"))
        .otherwise(pl.lit("trained"))
    )
    return pl.concat([rows.select("row_id", fate=fate), dropped.select("row_id", "fate")])


@contextlib.contextmanager
def building(job: Job) -> Iterator[None]:
    """Turn what TRL refuses while it is set up into a ``UserError`` that names the training."""
    try:
        yield
    except (ValueError, NotImplementedError) as error:
        raise UserError(f"train.{job.name}: {str(error).strip().splitlines()[0]}") from error


def fit(trainer: Any, job: Job, recorder: Recorder, folder: Path) -> tuple[int, dict[str, Any]]:
    """Train, from the last whole checkpoint if there is one, and save the weights and the tokenizer into ``folder``.

    Returns the number of steps and the metrics: ``first`` and ``last`` value of each figure that TRL logs, and the
    whole ``history``.
    """
    trainer.remove_callback(PrinterCallback)  # it prints, now that the bar is off
    trainer.add_callback(Progress(job, recorder))
    checkpoint = last_checkpoint(job.work)
    if checkpoint:
        recorder.restore(pl.read_parquet(checkpoint / RECORD))
        job.progress.say(f"train {job.name}: going on after step {checkpoint.name.rsplit('-', 1)[1]}")
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trainer.model.save_pretrained(folder)
    trainer.processing_class.save_pretrained(folder)
    if job.lora is not None:
        note_start(folder, job.ref)
    return trainer.state.global_step, metrics(trainer.state.log_history)


def metrics(history: list[dict[str, Any]]) -> dict[str, Any]:
    """Sum up TRL's log: figure -> first and last value; ``history`` holds one mapping a step that was logged."""
    logged = [h for h in history if "train_runtime" not in h]  # the closing entry repeats, and is wrong after a resume
    first: dict[str, Any] = {}
    last: dict[str, Any] = {}
    for entry in logged:
        first = entry | first
        last = last | entry
    figures = sorted(set(last) - {"step", "epoch"})
    return {name: {"first": first[name], "last": last[name]} for name in figures} | {"history": logged}


def last_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint of an interrupted training from which there is a step to do, or None.

    Going on from the last step's checkpoint, transformers would do a step too many.
    """
    whole = [folder for folder in work.glob("checkpoint-*") if (folder / RECORD).exists() and _unfinished(folder)]
    return max(whole, key=lambda folder: int(folder.name.rsplit("-", 1)[1]), default=None)


def _unfinished(checkpoint: Path) -> bool:
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state["global_step"] < state["max_steps"]


class Progress(TrainerCallback):
    """Reports each step, and saves a checkpoint by the clock: once a minute, at most 5% of the time."""

    def __init__(self, job: Job, recorder: Recorder) -> None:
        """``recorder`` is saved with each checkpoint."""
        self.job, self.recorder = job, recorder
        self.note = ""
        self.saved = time.monotonic()
        self.asked = self.saved
        self.pause = 60.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show the bar, filled as far as an interrupted training got."""
        self.job.progress.begin(f"train {self.job.name}", state.max_steps, "steps")
        self.job.progress.advance(state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Advance the bar; ask for a checkpoint when it is time."""
        self.job.progress.advance(1, self.note)
        self.asked = time.monotonic()
        if self.asked - self.saved > self.pause and state.global_step < state.max_steps:
            control.should_save = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **others: Any) -> None:
        """Remember the figure worth showing: the reward in GRPO (its loss says nothing), else the loss."""
        name = next((n for n in ("reward", "loss") if isinstance((logs or {}).get(n), int | float)), None)
        self.note = f"{name} {logs[name]:.3f}" if name else self.note

    def on_save(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Put what was recorded so far into the checkpoint, whole."""
        folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        self.recorder.recorded().write_parquet(folder / f".{RECORD}")
        (folder / f".{RECORD}").rename(folder / RECORD)
        self.saved = time.monotonic()
        self.pause = max(60.0, 20 * (self.saved - self.asked))
        for older in sorted(Path(args.output_dir).glob("checkpoint-*")):
            if older != folder and args.save_strategy == "no":
                shutil.rmtree(older, ignore_errors=True)
