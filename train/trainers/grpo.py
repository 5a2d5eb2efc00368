"""Group relative policy optimisation with ``trl.GRPOTrainer``: scorers reward the answers that the model samples."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import UserError
from train.job import Outcome, TrainingJob

CONFIG = "GRPOConfig"
DATA = "prompt"
NO_LIMIT = 1 << 30  # tokens


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    Every answer sampled is kept in ``rollouts`` with the value that each reward gave it. A prompt that leaves no room
    for an answer in the model's context is left out (TRL does not check it).
    """
    from trl import GRPOConfig, GRPOTrainer

    from train.fit import fit
    from train.rewards import Rollouts, reward_function
    from train.training_rows import check_training_rows, nothing_left
    from train.trl_setup import load_model, lora_config, trl_config, trl_errors

    rows = check_training_rows(job, DATA)
    _refuse_tools(job, rows.train)
    config = trl_config(job, GRPOConfig)
    model, tokenizer = load_model(job, on_disk=config.beta != 0)
    context = getattr(model.config, "max_position_embeddings", None) or NO_LIMIT
    rows = rows.without(_too_long(rows.train, tokenizer, context - (config.max_completion_length or 0)))
    if rows.train.is_empty():
        raise nothing_left(job, rows.dropped)
    rollouts = Rollouts(pl.concat([rows.train, rows.held_out]))
    max_tokens = config.max_completion_length or NO_LIMIT
    with trl_errors(job):
        trainer = GRPOTrainer(
            model,
            [reward_function(name, scorer, rollouts, max_tokens, job.answer) for name, scorer in job.rewards.items()],
            config,
            processing_class=tokenizer,
            peft_config=lora_config(job),
            **rows.datasets(DATA),
        )
    steps, metrics = fit(trainer, job, rollouts, folder)
    recorded = rollouts.recorded()
    return Outcome(steps, metrics, rows.fates(set(), set(recorded["row_id"])), rollouts=recorded)


def _refuse_tools(job: TrainingJob, rows: pl.DataFrame) -> None:
    from train.data import has_tools

    if has_tools(rows):
        raise UserError(
            f"train.{job.name}: row {rows.drop_nulls('tools')['row_id'][0]}, column tools: GRPO would not "
            f"show a row's tools to the model; leave such rows out with 'where: \"tools is null\"'"
        )


def _too_long(rows: pl.DataFrame, tokenizer: Any, max_tokens: int) -> pl.DataFrame:
    """Return the rows whose prompt has more than ``max_tokens`` tokens: ``row_id`` and ``fate`` (the reason)."""
    prompts = [json.loads(text) for text in rows["prompt"]]
    encoded = [tokenizer.apply_chat_template(p, add_generation_prompt=True, return_dict=True) for p in prompts]
    lengths = pl.Series("tokens", [len(e["input_ids"]) for e in encoded], pl.Int64)
    reason = pl.format("its prompt of {} tokens leaves no room for an answer", "tokens")
    return rows.select("row_id", lengths).filter(lengths > max_tokens).select("row_id", fate=reason)
