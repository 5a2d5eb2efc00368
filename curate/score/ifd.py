"""Instruction-following difficulty: the loss of the response given its prompt, over its loss alone (arXiv 2308.12032).

Near 1 the prompt hardly helps the model to write the response; above 1 it misleads it (the paper drops such rows); low
is what the model can do already. Both losses are means over the same tokens, those of the response without its end.
"""

import json

import polars as pl

from curate.score import _asks
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, messages: pl.Series, *, model: str) -> Scoring:
    """Return ``value`` (above 0), ``detail`` (JSON: both losses, in nats a token) and ``error`` where there is none."""
    given = yield ModelCalls(_asks.completions(messages, response), model, "loss")
    # Where there is no prompt, nothing is asked of the response alone either.
    alone = yield ModelCalls(_asks.completions(None, response.set(messages.is_null(), None)), model, "loss")
    after, before = given["value"], alone["value"]
    why = _asks.unasked(response, (messages, "no prompt"))
    missing = pl.select(
        pl.coalesce(
            _asks.errors(given, why),
            _asks.errors(alone, why),
            pl.when(pl.lit(before) <= 0).then(pl.lit("the response alone has no loss")),
        )
    )
    good = missing.to_series().is_null()
    detail = [
        json.dumps({"given_prompt": a, "alone": b}) if ok else None
        for a, b, ok in zip(after, before, good, strict=True)
    ]
    return pl.DataFrame(
        {
            "value": (after / before).set(~good, None),
            "detail": pl.Series(detail, dtype=pl.String),
            "error": missing.to_series(),
        }
    )
