"""How likely a classifier finds the response to be toxic: the probability of one of its labels.

Any sequence-classification model of the hub's kind will do, such as unitary/toxic-bert. It reads the response alone.
"""

import polars as pl

from curate.score import _asks
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, *, model: str, label: str = "toxic") -> Scoring:
    """Return ``value`` (0 to 1) and ``error`` where there is none, as for a response longer than the model reads."""
    answers = yield ModelCalls(_asks.texts(response, label=label), model, "reward")
    return pl.DataFrame({"value": answers["value"], "error": _asks.errors(answers, _asks.unasked(response))})
