"""A reward model's opinion of the response: the output of a sequence-classification model, as it is.

The model reads the whole conversation in its own chat template; it may be one of the hub's, one that the trainer
``reward`` made (named by its folder), or one behind a pooling server. Rewards of different models have no common scale.
"""

import polars as pl

from curate.score import _asks
from curate.steps.model_calls import ModelCalls, Scoring


def score(
    response: pl.Series, messages: pl.Series, *, model: str, label: str | None = None, system: bool = True
) -> Scoring:
    """Return ``value``: the reward, or with ``label`` the probability (0 to 1) of that class; ``error`` where none.

    ``system`` False leaves out the system turn, for models that were trained without.
    """
    shown = messages if system else _without_system(messages)
    asks = _asks.conversations(shown, response, **({} if label is None else {"label": label}))
    answers = yield ModelCalls(asks, model, "reward")
    why = _asks.unasked(response, (messages, "no prompt"))
    return pl.DataFrame({"value": answers["value"], "error": _asks.errors(answers, why)})


def _without_system(messages: pl.Series) -> pl.Series:
    return pl.Series([_asks.without_role(turns, "system") for turns in messages], dtype=pl.String)
