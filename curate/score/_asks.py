"""What the scorers ask of models that read: conversations with the response as JSON text, and the answers read."""

import json
from typing import Any

import polars as pl

NO_RESPONSE = "no response"
EMPTY = "the response is empty"


def conversations(messages: pl.Series, response: pl.Series, **more: Any) -> pl.Series:
    """Return asks for a reward: the prompt's turns and the response as the assistant's; null without either of them."""
    return pl.Series(
        [
            None if turns is None or not text else _json({"messages": [*json.loads(turns), _assistant(text)], **more})
            for turns, text in zip(messages, response, strict=True)
        ],
        dtype=pl.String,
    )


def completions(messages: pl.Series | None, response: pl.Series) -> pl.Series:
    """Return asks for a loss: of the response after the prompt's turns, or on its own where ``messages`` is None."""
    before = ["[]"] * len(response) if messages is None else messages
    return pl.Series(
        [
            None if turns is None or not text else _json({"messages": json.loads(turns), "completion": text})
            for turns, text in zip(before, response, strict=True)
        ],
        dtype=pl.String,
    )


def texts(response: pl.Series, **more: Any) -> pl.Series:
    """Return asks for a class of the response alone; null where there is none."""
    return pl.Series([_json({"text": text, **more}) if text else None for text in response], dtype=pl.String)


def without_role(messages: str | None, role: str) -> str | None:
    """Return messages (JSON text) without the turns of a role."""
    return messages and _json([turn for turn in json.loads(messages) if turn["role"] != role])


def unasked(response: pl.Series, *others: tuple[pl.Series, str]) -> pl.Series:
    """Return why a row is not asked about: no response, an empty one, or one of the others is null. Else null."""
    why = pl.when(pl.lit(response).is_null()).then(pl.lit(NO_RESPONSE)).when(pl.lit(response) == "").then(pl.lit(EMPTY))
    for column, said in others:
        why = why.when(pl.lit(column).is_null()).then(pl.lit(said))
    return pl.select(why.otherwise(None)).to_series().cast(pl.String)


def errors(answers: pl.DataFrame, why: pl.Series) -> pl.Series:
    """Return why a row has no value: it was not asked about, its request failed, or the reply holds no number."""
    missing = pl.when(pl.col("value").is_null()).then(pl.lit("the reply holds no number"))
    return answers.select(pl.coalesce(why, "error", missing).alias("error")).to_series()


def _assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
