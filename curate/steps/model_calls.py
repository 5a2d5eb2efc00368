"""The types that a step yields to call models: ``Ask`` of a generate step, ``ModelCalls`` and ``Embed`` of a scorer.

Such a step is a generator, and a pure function like any other step: it yields requests and is sent the replies. The
caller may stop at any point and start the generator again: replies are cached, so it reaches the same point without
sending a request twice.
"""

from collections.abc import Generator
from typing import Any, NamedTuple

import polars as pl

from schemas.requests import Task


class Ask(NamedTuple):
    """Conversations for a model to continue, yielded by a ``generate`` step. The replies are sent back as a Series.

    Attributes:
        messages: Each conversation's messages as JSON text; null where nothing is asked.
        model: The name of the setting that names the model: ``model``, or a setting of the step's own such as
            ``user_model``, in whose place ``model`` is used if the recipe does not give it.
        whole: Send null for a reply that its token limit has cut.
    """

    messages: pl.Series
    model: str = "model"
    whole: bool = True


Asking = Generator[Ask | pl.Series, pl.Series, Any]


class ModelCalls(NamedTuple):
    """Calls of one model, yielded by a scorer.

    The replies are sent back as a table with a row for each request and the columns of
    ``curate.models.gateway.replies_frame``: ``response``, ``finish_reason``, ``completion_tokens``, ``top_logprobs``,
    ``error`` and others. ``value`` is the reward, or the mean loss of a token in nats (of ``completion_tokens``
    tokens). A row is null where nothing was asked.

    Attributes:
        requests: One request for each row, as JSON text; null where nothing is asked. By task:

            - ``generate``: a conversation, ``[{"role": ..., "content": ...}, ...]``;
            - ``reward``: ``{"messages": [...]}``, a conversation that ends with the assistant's message, or
              ``{"text": "..."}``; with ``"label"``, the name of a class, the reply is that class's probability;
              ``"tools"`` are shown where the model's chat template prints tools;
            - ``loss``: ``{"messages": [...], "completion": "..."}``, for the loss of the completion after the messages,
              or of the completion alone if there are none; ``"message"`` in place of ``"completion"`` is a message that
              the chat template prints, after the messages or, with ``"alone": true``, alone; ``"tools"`` as above;
            - ``run``: ``{"kind": ..., ...}``, a program for the sandbox (``curate.models.clients.sandbox``).
        model: A model's name in the recipe. A panel of judges yields a ``ModelCalls`` for each.
        task: The task.
        sampling: Keyword arguments of ``schemas.requests.Sampling``, for ``generate``.
    """

    requests: pl.Series
    model: str
    task: Task = "generate"
    sampling: dict[str, Any] = {}


class Embed(NamedTuple):
    """Texts to embed, yielded by a scorer. Unit vectors are sent back: an ``Array(Float32, d)``, a row for each text.

    Attributes:
        texts: The texts; a null counts as an empty text.
        model: A model's name in the recipe.
    """

    texts: pl.Series
    model: str


# A scorer that calls models: a generator that is sent tables of replies and returns what any scorer returns.
Scoring = Generator[ModelCalls, pl.DataFrame, pl.Series | pl.DataFrame]
# A scorer that embeds texts: it is sent vectors instead.
EmbeddingScoring = Generator[Embed, pl.Series, pl.Series | pl.DataFrame]
