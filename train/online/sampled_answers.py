"""The answers of a batch as the table that scorers read, made once for all rewards of the batch."""

import json
from typing import Any

import polars as pl

from schemas.messages import assistant_message
from train.answer_scorers import prompt_columns
from train.online.rollouts import Rollouts


class SampledAnswers:
    """Makes the table of a batch's answers.

    What a scorer reads of the prompt comes from ``rollouts.rows`` by ``row_index``, exactly as the dataset holds it.
    """

    def __init__(self, rollouts: Rollouts, max_tokens: int, opening: str = "") -> None:
        """Read the prompts.

        Args:
            rollouts: Holds the prompts' rows and the tokens that end an answer.
            max_tokens: The most tokens that an answer may have; one with as many was cut off if the last ends no
                answer.
            opening: The mark by which the chat template opens a reasoning trace at the end of the prompt, or an empty
                text. The answer has its closing mark only, or none if it was cut within the trace.
        """
        self.rollouts, self.max_tokens, self.opening = rollouts, max_tokens, opening
        self._prompts = prompt_columns(rollouts.rows)
        self._made: tuple[list, pl.DataFrame, pl.DataFrame] | None = None  # of the last batch

    def tables(
        self, completions: list, completion_ids: list[list[int]], row_index: list[int]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the answers as they were sampled, and as scorers read them: with the opening mark of their traces.

        TRL gives each reward of a batch the same list of completions. Columns are put side by side: an expression for
        each would start Polars' threads, which takes longer than its work.
        """
        if self._made is None or self._made[0] is not completions:
            last = [_last_message(c) for c in completions]
            prompts = self._prompts[row_index]
            answers = prompts.hstack(
                [
                    prompts["row_id"].alias("prompt_id"),
                    pl.Series("response", [m.get("content") for m in last], pl.String),
                    pl.Series("completion", [_as_json(c) for c in completions], pl.String),
                    pl.Series("reasoning_content", [m.get("reasoning_content") for m in last], pl.String),
                    pl.Series("finish_reason", [self._finish(ids) for ids in completion_ids], pl.String),
                    pl.Series("completion_tokens", [len(ids) for ids in completion_ids], pl.Int64),
                    pl.Series("prompt_tokens", [None] * len(completions), pl.Int64),
                ]
            )
            self._made = completions, answers, self._with_opening(answers)
        return self._made[1:]

    def _finish(self, ids: list[int]) -> str:
        """Return why an answer of these tokens ends."""
        return "length" if len(ids) >= self.max_tokens and ids[-1] not in self.rollouts.ends else "stop"

    def _with_opening(self, answers: pl.DataFrame) -> pl.DataFrame:
        """Return answers with the mark in front that opens their traces and stands in the prompt."""
        if not self.opening:
            return answers
        apart = pl.col("reasoning_content").is_null() & ~pl.col("response").str.strip_chars().str.starts_with(
            self.opening
        )
        return answers.with_columns(
            response=pl.when(apart).then(pl.lit(self.opening) + pl.col("response")).otherwise("response")
        )


def _as_json(completion: Any) -> str:
    """Return an answer's messages as JSON text."""
    messages = [assistant_message(completion)] if isinstance(completion, str) else completion
    return json.dumps(messages, ensure_ascii=False)


def _last_message(completion: Any) -> dict[str, Any]:
    """Return an answer's last message: TRL gives a list of messages, or a text where prompts are texts."""
    return {"content": completion} if isinstance(completion, str) else completion[-1]
