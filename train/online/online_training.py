"""The training that ``grpo``, ``rloo`` and ``ppo`` share: the model samples answers, and scorers reward them."""

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path
from types import new_class
from typing import Any

import polars as pl

from schemas.errors import UserError
from train.examples.prompt_examples import prompt_dataset
from train.fit import fit
from train.job import Outcome, TrainingJob
from train.online.rewards import reward_functions
from train.online.rollout_summary import OF_ANSWERS, masks_cut, rollout_counts, say_rollouts, wholly_cut
from train.online.rollouts import RecordedRollouts, Rollouts
from train.online.sampled_prompts import checked_prompts, longest_answer, sampled_prompts
from train.options.reward_weights import reward_weights
from train.reports.before.given_rows import given_rows
from train.rows.training_rows import TrainingRows
from train.trl_setup import load_model, lora_config, model_chat, trl_config, trl_errors

NO_REWARD = "All reward functions returned None"
CUT = "all its answers were cut off at max_completion_length"  # a row's fate under mask_truncated_completions


def train_on_prompts(
    job: TrainingJob,
    folder: Path,
    *,
    config_class: type,
    trainer_class: type,
    groups: bool = True,
) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    Every answer sampled is kept in ``rollouts`` with the value that each reward gave it, and its advantage. A prompt
    that leaves no room for an answer in the model's context is left out (TRL does not check it).

    Args:
        job: The training.
        folder: The folder for the model.
        config_class: TRL's config class, or a subclass: it has ``beta`` and ``max_completion_length``.
        trainer_class: TRL's ``GRPOTrainer``, ``RLOOTrainer``, or a subclass of one.
        groups: Whether the trainer learns from the differences within a group only (not so where a critic judges).

    Raises:
        UserError: A row, an option or the model cannot be used, or no row is left to train on.
    """
    rows = checked_prompts(job)
    config = trl_config(job, config_class)
    _check_enough(job, config, rows.train.height)
    model, tokenizer = load_model(job, on_disk=config.beta != 0 and job.lora is None)
    prompts = sampled_prompts(job, rows, model_chat(job, tokenizer), config, model)
    _check_enough(job, config, prompts.rows.train.height)
    rollouts = Rollouts(
        pl.concat([prompts.known.train, prompts.known.held_out]),
        lambda line: job.progress.say(f"train {job.name}: {line}"),
    )
    recorded_class = new_class("Recorded", (RecordedRollouts, trainer_class))
    with trl_errors(job):
        trainer = recorded_class(
            model=model,
            reward_funcs=reward_functions(job, rollouts, longest_answer(config), prompts.opening),
            args=config,
            processing_class=tokenizer,
            peft_config=lora_config(job),
            train_dataset=prompt_dataset(prompts.examples),
            eval_dataset=prompt_dataset(prompts.held_out),
        )
    trainer.start_recording(rollouts)
    with without_trl_warnings():
        steps, metrics = fit(trainer, job, rollouts, folder, given_rows(prompts.rows, prompts.examples))
    recorded = rollouts.recorded()
    learnt = dict(prompts.examples.counts) | _said(job, recorded, config, groups=groups)
    fates = _fates(prompts.rows, recorded, config)
    return Outcome(steps, metrics, fates, rollouts=recorded, learnt=learnt)


def _fates(rows: TrainingRows, recorded: pl.DataFrame, config: Any) -> pl.DataFrame:
    """Return the fate of every row of the split ``train``: it is trained where an answer to it could teach something.

    An answer that only evaluated is none to train on.
    """
    fates = rows.fates(set(recorded.filter(pl.col("phase") == "train")["row_id"]))
    if not masks_cut(config):
        return fates
    cut = pl.col("row_id").is_in(wholly_cut(recorded).implode())
    return fates.with_columns(fate=pl.when(cut).then(pl.lit(CUT)).otherwise("fate"))


@contextlib.contextmanager
def without_trl_warnings() -> Generator[None]:
    """Leave out TRL's warning, at each sampling, with a whole prompt that no reward judged: ``_said`` counts them."""
    loggers = [logging.getLogger(f"trl.trainer.{name}_trainer") for name in ("grpo", "rloo")]
    for logger in loggers:
        logger.addFilter(_is_news)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return NO_REWARD not in record.getMessage()


def _check_enough(job: TrainingJob, config: Any, prompts: int) -> None:
    """Raise ``UserError`` if there are fewer prompts than TRL samples at a time: it would end without a step."""
    needed = config.generation_batch_size // config.num_generations
    if prompts < needed:
        raise UserError(
            f"train.{job.name}: {prompts:,} prompts to train on, but {needed:,} are sampled at a time (batches of "
            f"{config.per_device_train_batch_size} answers x {config.steps_per_generation} a sampling, over "
            f"num_generations {config.num_generations}); lower per_device_train_batch_size, "
            f"gradient_accumulation_steps or steps_per_generation, or raise num_generations"
        )


def _said(job: TrainingJob, rollouts: pl.DataFrame, config: Any, *, groups: bool) -> dict[str, int]:
    """Say what taught nothing; return its counts."""
    weights = reward_weights(list(job.rewards), config.reward_weights, f"train.{job.name}")
    summed = getattr(config, "multi_objective_aggregation", "sum_then_normalize") == "sum_then_normalize"
    counts = rollout_counts(rollouts, weights, config.num_generations, summed=summed)
    say_rollouts(job, rollouts, counts, config, groups=groups)
    return counts if groups else {name: counts[name] for name in OF_ANSWERS}
