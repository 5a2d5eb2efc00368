"""The training by a trainer that a recipe names by a dotted path: TRL's or the user's code, run as it is.

It gets the recipe's rows in TRL's conversational columns and tokenises them itself. So gristmill records what it sees
from outside: TRL's figures at each step, the rows that were given and those left out before, the answers that a reward
function was asked about. It does not know what ``max_length`` cut, nor a row's loss.
"""

import contextlib
import importlib.metadata
import traceback
from collections.abc import Generator
from pathlib import Path
from types import new_class
from typing import TYPE_CHECKING, Any

import polars as pl

from train.finding.class_source import init_parameters
from train.job import Outcome, TrainingJob

if TYPE_CHECKING:
    from train.finding.dotted_trainer import DottedTrainer


class NoRecord:
    """Records nothing: the rows of a batch are not known."""

    def recorded(self) -> pl.DataFrame:
        """Return an empty table."""
        return pl.DataFrame({"row_id": []}, schema={"row_id": pl.String})

    def restore(self, rows: pl.DataFrame) -> None:
        """Do nothing."""


def train_dotted(found: "DottedTrainer", job: TrainingJob, folder: Path) -> Outcome:
    """Train by a trainer of a dotted path, and save the adapter or the weights, with the tokenizer, into ``folder``.

    Args:
        found: The trainer.
        job: The training.
        folder: The folder for the model.

    Raises:
        UserError: A row or an option cannot be used, no row is left, or the trainer's own code fails.
    """
    from curate.models.weights import load
    from train.dotted.dotted_rows import dotted_rows, kind_of_rows
    from train.examples.loss_settings import loss_settings
    from train.examples.prompt_examples import trace_opening
    from train.fit import fit
    from train.online.rewards import reward_functions
    from train.online.rollouts import Rollouts
    from train.online.sampled_prompts import answer_room, checked_prompts, longest_answer
    from train.reports.before.given_rows import given_rows
    from train.rows.training_rows import check_training_rows
    from train.rows.unpaired_labels import rows_in_random_order
    from train.trl_setup import load_model, load_reward_model, lora_config, model_chat, trl_config

    kind = kind_of_rows(job.rows)
    if kind == "unpaired":
        job = rows_in_random_order(job)
    checked = checked_prompts(job) if kind == "prompt" else check_training_rows(job, kind)
    with own_errors(found, job, kind):
        trainer_class, config_class = found.load()
        config = trl_config(job, config_class)
    say_what_it_is(found, job)
    classifies = any(one.__name__ == "RewardTrainer" for one in trainer_class.__mro__)
    model, tokenizer = load_reward_model(job) if classifies else load_model(job, on_disk=True)
    chat, how = model_chat(job, tokenizer), loss_settings(job.trainer, job.settings, job.unshown)
    rows, datasets = dotted_rows(job, checked, kind, chat, how, answer_room(config, model), in_one=found.reads_messages)
    rollouts = Rollouts(pl.concat([rows.train, rows.held_out]))
    given = {
        "model": model,
        "args": config,
        "processing_class": tokenizer,
        "train_dataset": datasets[0],
        "eval_dataset": datasets[1],
        "peft_config": lora_config(job, "SEQ_CLS" if classifies else "CAUSAL_LM"),
    }
    if job.teacher is not None:
        given["teacher_model"] = load(job.teacher)[0].requires_grad_(False)
    if job.rewards:
        opening = trace_opening(rows.train, chat, how)
        given["reward_funcs"] = reward_functions(job, rollouts, longest_answer(config), opening)
    with own_errors(found, job, kind):
        trainer = with_advantages(trainer_class)(**taken(found, job, given))
        rollouts.ends = frozenset((tokenizer.eos_token_id,))
        if hasattr(trainer, "start_recording"):
            trainer.start_recording(rollouts)
        steps, metrics = fit(trainer, job, rollouts if job.rewards else NoRecord(), folder, given_rows(rows))
    say_what_is_not_recorded(found, job)
    recorded = with_phases(rollouts.recorded(), rows.held_out)
    fates = rows.fates(set(recorded["row_id"]) if job.rewards else None)
    return Outcome(steps, metrics, fates, rollouts=recorded, learnt={"rows": rows.train.height})


def with_advantages(trainer_class: type) -> type:
    """Return a trainer class that records the advantages, if it inherits from one of TRL's that computes them."""
    from trl import GRPOTrainer, RLOOTrainer

    from train.online.rollouts import RecordedRollouts

    if issubclass(trainer_class, GRPOTrainer | RLOOTrainer):
        return new_class(trainer_class.__name__, (RecordedRollouts, trainer_class))
    return trainer_class


def with_phases(recorded: pl.DataFrame, held_out: pl.DataFrame) -> pl.DataFrame:
    """Return recorded answers with the phase 'eval', and the step done before, where a trainer did not say so."""
    unsaid = pl.col("row_id").is_in(held_out["row_id"].to_list() if held_out.height else []) & (
        pl.col("phase") != "eval"
    )
    step, phase = pl.col("step") - unsaid, pl.when(unsaid).then(pl.lit("eval")).otherwise("phase")
    return recorded.with_columns(step=step, phase=phase)


def taken(found: "DottedTrainer", job: TrainingJob, given: dict[str, Any]) -> dict[str, Any]:
    """Return those arguments that the trainer's class takes.

    Raises:
        UserError: It takes no adapter, but the recipe asks for one.
    """
    from schemas.errors import UserError

    parameters = init_parameters(found.trainer)
    if job.lora is not None and "peft_config" not in parameters:
        raise UserError(f"train.{job.name}: lora: {found.trainer.name} takes no peft_config; remove lora")
    return {name: value for name, value in given.items() if name in parameters}


def say_what_it_is(found: "DottedTrainer", job: TrainingJob) -> None:
    """Say once where TRL calls a trainer experimental."""
    if found.experimental:
        version = importlib.metadata.version("trl")
        job.progress.say(
            f"train {job.name}: {found.name} is code that TRL {version} calls experimental: another version may change "
            f"or drop it"
        )


def say_what_is_not_recorded(found: "DottedTrainer", job: TrainingJob) -> None:
    """Say what a training by a dotted path does not record."""
    held = "each answer with its rewards is in rollouts" if job.rewards else "a row counts as trained if it was given"
    job.progress.say(
        f"train {job.name}: {found.name} tokenises and batches the rows itself, so no row's loss is recorded, nor what "
        f"max_length cut; {held}"
    )


@contextlib.contextmanager
def own_errors(found: "DottedTrainer", job: TrainingJob, kind: str) -> Generator[None]:
    """Turn an error of a trainer's own code into a ``UserError`` that names the training and the line of the code."""
    from schemas.errors import OneLine, UserError
    from train.tables import MESSAGE_COLUMNS

    try:
        yield
    except OneLine:
        raise
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if Path(f.filename).resolve() == found.trainer.file] or frames[-1:]
        place = f"{Path(own[-1].filename).name}:{own[-1].lineno}"
        said = str(error).strip().splitlines() or [""]
        columns = ", ".join(MESSAGE_COLUMNS[kind])
        raise UserError(
            f"train.{job.name}: {found.trainer.name} ({found.name}), {place}: {type(error).__name__}: {said[0]}; the "
            f"dataset's rows are of type {kind!r}: {columns}"
        ) from error
