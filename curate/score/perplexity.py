"""How surprised a model is by the response: the exponential of its mean loss a token.

Low is what the model would have written itself, or mere repetition; very high is noise, or another language.
"""

import polars as pl

from curate.score import _asks
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, messages: pl.Series, *, model: str, given_prompt: bool = True) -> Scoring:
    """Return ``value`` (1 and above) and ``error`` where there is none.

    The response follows its prompt, in the model's chat template; on its own if ``given_prompt`` is False. The token
    that ends a response does not count.
    """
    answers = yield ModelCalls(_asks.completions(messages if given_prompt else None, response), model, "loss")
    why = _asks.unasked(response, *([(messages, "no prompt")] if given_prompt else []))
    return pl.DataFrame({"value": answers["value"].exp(), "error": _asks.errors(answers, why)})
