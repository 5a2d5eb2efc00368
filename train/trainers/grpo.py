"""Reinforcement learning with ``trl.GRPOTrainer``: the model's own answers, judged by scorers, push it along."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from schemas.errors import UserError
from train.job import Job, Outcome

CONFIG = "GRPOConfig"
DATA = "prompt"


def train(job: Job, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    Every answer sampled is kept in ``rollouts`` with what each reward gave it. A prompt that leaves no room for an
    answer in the model's context is left out (TRL does not look).
    """
    from trl import GRPOConfig, GRPOTrainer

    from train import common
    from train.data import has_tools
    from train.rewards import Rollouts, as_reward

    rows, held_out, dropped = common.usable(job, DATA)
    if has_tools(rows):
        raise UserError(
            f"train.{job.name}: row {rows.drop_nulls('tools')['row_id'][0]}, column tools: GRPO would not "
            f"show a row's tools to the model; leave such rows out with 'where: \"tools is null\"'"
        )
    args = common.configure(job, GRPOConfig)
    model, tokenizer = common.load_model(job, on_disk=args.beta != 0)
    room = (getattr(model.config, "max_position_embeddings", None) or 1 << 30) - (args.max_completion_length or 0)
    dropped = pl.concat([dropped, _too_long(rows, tokenizer, room)])
    rows = rows.join(dropped, on="row_id", how="anti", maintain_order="left")
    if rows.is_empty():
        raise common.nothing_left(job, dropped)
    rollouts = Rollouts(pl.concat([rows, held_out]))
    length = args.max_completion_length or 1 << 30
    rewards = [as_reward(name, judge, rollouts, length, job.edge) for name, judge in job.rewards.items()]
    with common.building(job):
        trainer = GRPOTrainer(
            model,
            rewards,
            args,
            processing_class=tokenizer,
            peft_config=common.lora_config(job),
            **common.datasets(rows, held_out, DATA),
        )
    steps, metrics = common.fit(trainer, job, rollouts, folder)
    seen = rollouts.recorded()
    return Outcome(steps, metrics, common.fates(rows, dropped, set(), set(seen["row_id"])), rollouts=seen)


def _too_long(rows: pl.DataFrame, tokenizer: Any, room: int) -> pl.DataFrame:
    """Rows whose prompt has more than ``room`` tokens, with the reason."""
    prompts = [json.loads(text) for text in rows["prompt"]]
    encoded = [tokenizer.apply_chat_template(p, add_generation_prompt=True, return_dict=True) for p in prompts]
    lengths = pl.Series("tokens", [len(e["input_ids"]) for e in encoded], pl.Int64)
    reason = pl.format("its prompt of {} tokens leaves no room for an answer", "tokens")
    return rows.select("row_id", lengths).filter(lengths > room).select("row_id", fate=reason)
