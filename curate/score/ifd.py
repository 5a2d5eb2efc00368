"""Instruction-following difficulty: the loss of the response given its prompt, over its loss alone (arXiv 2308.12032).

Near 1, the prompt hardly helps the model to predict the response. Above 1, it misleads the model (the paper drops such
rows). Low values are responses that the model can already write. Both losses are means over the same tokens, those of
the response without the token that ends it; its tool calls count as the model's chat template prints them.
"""

import json

import polars as pl

from curate.score._reading_models import answers_of, error_reasons, loss_requests, skip_reasons
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, messages: pl.Series, completion: pl.Series, tools: pl.Series, *, model: str) -> Scoring:
    """Return ``value`` (above 0), ``detail`` (JSON: both losses, in nats per token) and ``error`` if there is none."""
    read = answers_of(response, completion, tools)
    given = yield ModelCalls(loss_requests(messages, read), model, "loss")
    # A row without a prompt makes no request for the response alone either.
    alone = yield ModelCalls(loss_requests(None, read, messages), model, "loss")
    after, before = given["value"], alone["value"]
    why = skip_reasons(read.problems, (messages, "no prompt"))
    missing = pl.select(
        pl.coalesce(
            error_reasons(given, why),
            error_reasons(alone, why),
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
