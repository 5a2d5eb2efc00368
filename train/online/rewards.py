"""Scorers as the reward functions of TRL's trainers for online RL."""

import json
from collections.abc import Callable
from typing import Any

import polars as pl

from curate.pipeline.scorer import Answer
from schemas.messages import assistant_message
from train.answer_scorers import AnswerScorer, prompt_columns
from train.job import TrainingJob
from train.online.rollouts import Rollouts


def reward_functions(
    job: TrainingJob, rollouts: Rollouts, max_tokens: int, opening: str
) -> list[Callable[..., list[float | None]]]:
    """Return a job's scorers as reward functions; the other arguments are those of ``reward_function``."""
    return [
        reward_function(name, scorer, rollouts, max_tokens, job.answer, opening) for name, scorer in job.rewards.items()
    ]


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
        max_tokens: The most tokens that an answer may have; one with as many was cut off if the last ends no answer.
        answer: Makes the scorer's model calls.
        opening: The mark by which the chat template opens a reasoning trace at the end of the prompt, or an empty text.
            The answer has its closing mark only, or none if it was cut within the trace.
    """
    prompts = prompt_columns(rollouts.rows)

    def finish(ids: list[int]) -> str:
        return "length" if len(ids) >= max_tokens and ids[-1] not in rollouts.ends else "stop"

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
            pl.Series("finish_reason", [finish(ids) for ids in completion_ids], pl.String),
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
