"""A reward model's score of the response: the unchanged output of a sequence-classification model.

The model reads the whole conversation in its own chat template, with the response's tool calls and, where the template
prints them, the prompt's tools. It may be a model of the hub, one that the trainer
``reward`` made (named by its folder), or one behind a pooling server. Rewards of different models have no common scale.
"""

import polars as pl

from curate.score._reading_models import answers_of, error_reasons, reward_requests, skip_reasons, without_role
from curate.steps.model_calls import ModelCalls, Scoring


def score(
    response: pl.Series,
    messages: pl.Series,
    completion: pl.Series,
    tools: pl.Series,
    *,
    model: str,
    label: str | None = None,
    system: bool = True,
) -> Scoring:
    """Return ``value`` (the reward, or the probability of ``label``) and ``error`` where there is none.

    Args:
        response: The responses.
        messages: The prompts, as JSON text.
        completion: The responses' turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text, or null.
        model: The reward model.
        label: A class of the model, whose probability (0 to 1) is the value; None for the reward.
        system: Whether the model reads the system turn; False for models that were trained without one.
    """
    shown = messages if system else _without_system(messages)
    read = answers_of(response, completion, tools)
    asks = reward_requests(shown, read, **({} if label is None else {"label": label}))
    answers = yield ModelCalls(asks, model, "reward")
    why = skip_reasons(read.problems, (messages, "no prompt"))
    return pl.DataFrame({"value": answers["value"], "error": error_reasons(answers, why)})


def _without_system(messages: pl.Series) -> pl.Series:
    return pl.Series([without_role(turns, "system") for turns in messages], dtype=pl.String)
