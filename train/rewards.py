"""Scorers as GRPO's reward functions, and the record of every sampled answer with its rewards (``rollouts``)."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl

from curate.pipeline.scorer import Answer
from schemas.messages import assistant_message
from schemas.rows import ROLLOUTS
from train.answer_scorers import AnswerScorer, prompt_columns
from train.tables import empty_table


class Rollouts:
    """Records the answers that GRPO samples and the value that each reward gives them."""

    def __init__(self, rows: pl.DataFrame) -> None:
        """Start with no answers; ``rows`` are the prompts' rows, in the order of the dataset's ``row_index``."""
        self.rows = rows
        self.batches: list[pl.DataFrame] = []

    def add(self, step: int, answers: pl.DataFrame, reward: str, scored: pl.DataFrame) -> None:
        """Record a batch of answers with the values that one reward gave them.

        Args:
            step: The training step, from 1 up.
            answers: A table with ``row_id`` and ``response``.
            reward: The reward's name.
            scored: A row for each answer with ``value`` and ``error``.
        """
        columns = empty_table(ROLLOUTS).schema
        batch = answers.select("row_id", "response").with_columns(scored["value"], scored["error"])
        batch = batch.with_columns(
            step=pl.lit(step),
            reward=pl.lit(reward),
            sample_index=pl.lit(None),
            prompt_id=pl.lit(None),
            advantage=pl.lit(None),
        )
        self.batches.append(batch.select(pl.col(name).cast(kind) for name, kind in columns.items()))

    def recorded(self) -> pl.DataFrame:
        """Return all rows recorded so far: ``schemas.rows.ROLLOUTS`` without the training's id."""
        columns = empty_table(ROLLOUTS)
        nth = pl.int_range(pl.len()).over("step", "row_id", "reward")  # which of its row's answers at its step
        return pl.concat([columns, *self.batches]).with_columns(sample_index=nth).cast(dict(columns.schema))

    def restore(self, rows: pl.DataFrame) -> None:
        """Start from the rows that an interrupted training recorded."""
        self.batches = [rows]


def reward_function(
    name: str, scorer: AnswerScorer, rollouts: Rollouts, max_tokens: int, answer: Answer, opening: str = ""
) -> Callable[..., list[float | None]]:
    """Make a scorer a reward function, as TRL calls it.

    What the scorer reads of the prompt comes from ``rollouts.rows`` by ``row_index``, exactly as the dataset holds it.
    An exception would end the training, so a scorer that raises gives None for the batch, which TRL leaves out.

    Args:
        name: The reward's name.
        scorer: The scorer.
        rollouts: Records each batch.
        max_tokens: The most tokens that an answer may have; one with as many was cut off.
        answer: Makes the scorer's model calls.
        opening: The mark by which the chat template opens a reasoning trace at the end of the prompt, or an empty text.
            The answer has its closing mark only, or none if it was cut within the trace.
    """
    prompts = prompt_columns(rollouts.rows)

    def reward(
        completions: list, completion_ids: list[list[int]], row_index: list[int], trainer_state: Any, **others: Any
    ) -> list[float | None]:
        last = [_last_message(c) for c in completions]
        lengths = [len(ids) for ids in completion_ids]
        answers = prompts[row_index].with_columns(
            pl.col("row_id").alias("prompt_id"),
            pl.Series("response", [m.get("content") for m in last], pl.String),
            pl.Series("completion", [_as_json(c) for c in completions], pl.String),
            pl.Series("reasoning_content", [m.get("reasoning_content") for m in last], pl.String),
            pl.Series("finish_reason", ["length" if n >= max_tokens else "stop" for n in lengths], pl.String),
            pl.Series("completion_tokens", lengths, pl.Int64),
            pl.lit(None, pl.Int64).alias("prompt_tokens"),
        )
        scored = scorer.values(_with_opening(answers, opening), answer)
        rollouts.add(trainer_state.global_step + 1, answers, name, scored)
        return scored["value"].to_list()

    reward.__name__ = name  # TRL merges the metrics of two rewards of one name; the recipe's names are unique
    return reward


def _with_opening(answers: pl.DataFrame, opening: str) -> pl.DataFrame:
    """Return answers with the mark in front that opens their traces and stands in the prompt."""
    if not opening:
        return answers
    apart = pl.col("reasoning_content").is_null() & ~pl.col("response").str.strip_chars().str.starts_with(opening)
    return answers.with_columns(
        response=pl.when(apart).then(pl.lit(opening) + pl.col("response")).otherwise("response")
    )


def _as_json(completion: Any) -> str:
    """Return an answer's messages as JSON text."""
    messages = [assistant_message(completion)] if isinstance(completion, str) else completion
    return json.dumps(messages, ensure_ascii=False)


def _last_message(completion: Any) -> dict[str, Any]:
    """Return an answer's last message: TRL gives a list of messages, or a text where prompts are texts."""
    return {"content": completion} if isinstance(completion, str) else completion[-1]
