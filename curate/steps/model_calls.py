"""What a step that asks a model yields: what it asks, and whom.

Such a step is a generator, and as pure as any other: it yields what it wants to know and is sent the answers. Who runs
it can stop at any reply and start over: the replies are kept, so the step comes to the same point again without asking
twice. A ``generate`` step yields ``Ask``; a ``score`` step ``ModelCalls`` or ``Embed``.
"""

from collections.abc import Generator
from typing import Any, NamedTuple

import polars as pl

from schemas.requests import Task


class Ask(NamedTuple):
    """Conversations to ask: messages as JSON text, null where nothing is to be asked.

    ``model`` is the name of the setting that says which model is asked (``model``, or one of the step's own, such as
    ``user_model``, which falls back to ``model`` where the recipe does not set it). A reply that its limit of tokens
    has cut is null too, unless ``whole`` is False.
    """

    messages: pl.Series
    model: str = "model"
    whole: bool = True


Asking = Generator[Ask | pl.Series, pl.Series, Any]


class ModelCalls(NamedTuple):
    """What a scorer wants to know of a model: ``asks`` is JSON text, one a row, null where nothing is asked.

    ``model`` is a model's name in the recipe (a panel of judges yields a ``ModelCalls`` for each). By ``task``, an ask is

    - ``generate``: a conversation, ``[{"role": ..., "content": ...}, ...]``; ``sampling`` are ``Sampling``'s keywords;
    - ``reward``: ``{"messages": [...]}``, a conversation that ends with the assistant's turn, or ``{"text": "..."}``;
      with ``"label"`` where the model classifies and the probability of that class is wanted;
    - ``loss``: ``{"messages": [...], "completion": "..."}``: how unlikely the completion is after the messages (or, of
      an empty list, on its own);
    - ``run``: ``{"kind": ..., ...}``, a program for the sandbox (see ``curate/models/clients/sandbox.py``).

    What is sent back is a frame, a row an ask, of the columns of ``curate.models.gateway.frame``: ``response``,
    ``finish_reason``, ``completion_tokens``, ``top_logprobs``, ``error`` ...; ``value`` holds the reward, or the mean
    loss of a token in nats (``completion_tokens`` says of how many). All of it is null where nothing was asked.
    """

    asks: pl.Series
    model: str
    task: Task = "generate"
    sampling: dict[str, Any] = {}


class Embed(NamedTuple):
    """Texts whose embeddings a scorer wants: sent back is an ``Array(Float32, d)`` of unit vectors, one a text.

    ``model`` is a model's name in the recipe. A null text counts as empty.
    """

    texts: pl.Series
    model: str


# A scorer that asks: a generator that returns what any scorer returns.
Scoring = Generator[ModelCalls | Embed, pl.DataFrame | pl.Series, pl.Series | pl.DataFrame]
