"""The perplexity of the response under a model: the exponential of its mean loss per token.

Low values are texts that the model would have written itself, or repetition; very high ones are noise, or another
language. The tool calls of a response count as the model's chat template prints them. Of a response of several turns
the last one counts, given the others.
"""

import polars as pl

from curate.score._reading_models import answers_of, error_reasons, loss_requests, skip_reasons
from curate.steps.model_calls import ModelCalls, Scoring


def score(
    response: pl.Series,
    messages: pl.Series,
    completion: pl.Series,
    tools: pl.Series,
    *,
    model: str,
    given_prompt: bool = True,
) -> Scoring:
    """Return ``value`` (1 and above) and ``error`` where there is none.

    The model reads the response after its prompt, in its chat template, or alone if ``given_prompt`` is False. The
    token that ends a response does not count.
    """
    read = answers_of(response, completion, tools)
    if given_prompt:
        asks = loss_requests(messages, read)
    else:
        asks = loss_requests(None, read, messages.fill_null("[]"))
    answers = yield ModelCalls(asks, model, "loss")
    why = skip_reasons(read.problems, *([(messages, "no prompt")] if given_prompt else []))
    return pl.DataFrame({"value": answers["value"].exp(), "error": error_reasons(answers, why)})
