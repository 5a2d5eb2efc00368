"""Build the requests of scorers to reward models, classifiers and language models, and say why a value is null.

The requests are JSON text, as ``curate.steps.model_calls.ModelCalls`` describes them by task.
"""

import json
from typing import Any

import polars as pl

NO_RESPONSE = "no response"
EMPTY = "the response is empty"


def reward_requests(messages: pl.Series, response: pl.Series, **more: Any) -> pl.Series:
    """Return requests for a reward: the prompt's turns, then the response; null if either is missing.

    Args:
        messages: The prompts, as JSON text.
        response: The responses.
        **more: Further keys of every request, such as ``label``.
    """
    return pl.Series(
        [
            None if turns is None or not text else _json({"messages": [*json.loads(turns), _assistant(text)], **more})
            for turns, text in zip(messages, response, strict=True)
        ],
        dtype=pl.String,
    )


def loss_requests(messages: pl.Series | None, response: pl.Series) -> pl.Series:
    """Return requests for the loss of each response after its prompt's turns, or alone if ``messages`` is None."""
    before = ["[]"] * len(response) if messages is None else messages
    return pl.Series(
        [
            None if turns is None or not text else _json({"messages": json.loads(turns), "completion": text})
            for turns, text in zip(before, response, strict=True)
        ],
        dtype=pl.String,
    )


def class_requests(response: pl.Series, **more: Any) -> pl.Series:
    """Return requests to classify each response alone; null where there is none. ``more`` are further keys."""
    return pl.Series([_json({"text": text, **more}) if text else None for text in response], dtype=pl.String)


def without_role(messages: str | None, role: str) -> str | None:
    """Return messages (JSON text) without the turns of one role."""
    return messages and _json([turn for turn in json.loads(messages) if turn["role"] != role])


def skip_reasons(response: pl.Series, *others: tuple[pl.Series, str]) -> pl.Series:
    """Return why a row makes no request: no response, an empty one, a null in another column. Null if it makes one.

    Args:
        response: The responses.
        *others: Further columns that a request needs, each with the reason to give where it is null.
    """
    why = pl.when(pl.lit(response).is_null()).then(pl.lit(NO_RESPONSE)).when(pl.lit(response) == "").then(pl.lit(EMPTY))
    for column, reason in others:
        why = why.when(pl.lit(column).is_null()).then(pl.lit(reason))
    return pl.select(why.otherwise(None)).to_series().cast(pl.String)


def error_reasons(answers: pl.DataFrame, why: pl.Series) -> pl.Series:
    """Return why each row has no value: it made no request, its request failed, or the reply holds no number.

    Args:
        answers: The replies, a row each.
        why: The reasons of ``skip_reasons``.
    """
    missing = pl.when(pl.col("value").is_null()).then(pl.lit("the reply holds no number"))
    return answers.select(pl.coalesce(why, "error", missing).alias("error")).to_series()


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
