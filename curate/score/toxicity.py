"""The probability that the response is toxic, by a classifier: the probability of one of its labels.

Any sequence-classification model of the hub works, such as unitary/toxic-bert. It reads the response alone.
"""

import polars as pl

from curate.score._reading_models import class_requests, error_reasons, skip_reasons
from curate.steps.model_calls import ModelCalls, Scoring


def score(response: pl.Series, *, model: str, label: str = "toxic") -> Scoring:
    """Return ``value`` (0 to 1) and ``error`` where there is none, such as for a response too long for the model."""
    answers = yield ModelCalls(class_requests(response, label=label), model, "reward")
    return pl.DataFrame({"value": answers["value"], "error": error_reasons(answers, skip_reasons(response))})
