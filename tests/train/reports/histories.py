"""Simulated histories of online RL: the answers that a model samples, step by step."""

from collections.abc import Callable

import numpy as np
import polars as pl

TOPICS = [
    f"{a}{b}" for a in ("rain", "clay", "river", "glass", "wool", "salt", "ice") for b in ("", "bow", "s", "y", "ed")
]
LIMIT = 8  # words, over which an answer has no reward


def history(
    steps: int, answer: Callable[[np.random.Generator, int, str], str], prompts: int = len(TOPICS)
) -> pl.DataFrame:
    """Return the answers of a training with 16 answers a step, 8 to each of two prompts; rewarded for few words.

    Args:
        steps: The number of steps.
        answer: Writes an answer; it is given a source of random numbers, the step from 1 up, and the prompt's topic.
        prompts: The number of prompts.
    """
    rng, rows = np.random.default_rng(5), []
    order = np.concatenate([rng.permutation(prompts) for _ in range(2 * steps // prompts + 1)])
    for step in range(1, steps + 1):
        for topic in (TOPICS[i] for i in order[2 * (step - 1) : 2 * step]):
            rows += [(step, topic, answer(rng, step, topic)) for _ in range(8)]
    table = pl.DataFrame(rows, schema=["step", "row_id", "response"], orient="row")
    tokens = table["response"].str.split(" ").list.len().cast(pl.Int64)
    return table.with_columns(
        finish_reason=pl.when(tokens > 30).then(pl.lit("length")).otherwise(pl.lit("stop")),
        tokens=tokens,
        value=(tokens <= LIMIT).cast(pl.Float64),
    )


def one_word_history() -> pl.DataFrame:
    """Return a history as GRPO with a word limit had it: sentences, then one word ever more often.

    The reward of that training was .0, .25, .94 and 1.0 at the steps 1, 5, 9 and 17.
    """

    def answer(rng: np.random.Generator, step: int, topic: str) -> str:
        if rng.random() < (step - 4) / 10:
            return f"{topic.capitalize()}{rng.choice(['', '.', '!'])}"
        return " ".join([topic, *rng.choice(TOPICS, int(rng.integers(18, 34)))])

    return history(45, answer)
