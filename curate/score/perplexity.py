"""The perplexity of the response under a model: the exponential of its mean loss per token.

Low values are texts that the model would have written itself, or repetition; very high ones are noise, or another
language.
"""

import polars as pl

from curate.score._reading_models import error_reasons, loss_requests, skip_reasons
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, messages: pl.Series, *, model: str, given_prompt: bool = True) -> Scoring:
    """Return ``value`` (1 and above) and ``error`` where there is none.

    The model reads the response after its prompt, in its chat template, or alone if ``given_prompt`` is False. The
    token that ends a response does not count.
    """
    answers = yield ModelCalls(loss_requests(messages if given_prompt else None, response), model, "loss")
    why = skip_reasons(response, *([(messages, "no prompt")] if given_prompt else []))
    return pl.DataFrame({"value": answers["value"].exp(), "error": error_reasons(answers, why)})
