"""What a step that asks a model several times yields: the conversations to ask, and who is asked.

Such a step is a generator, and as pure as any other: it yields an ``Ask`` (or just its messages) and is sent the texts
of the replies, as long as the column and null where nothing was asked or the request failed. Who runs it can stop at
any reply and start over: the replies are kept, so the step comes to the same point again without asking twice.
"""

from collections.abc import Generator
from typing import Any, NamedTuple

import polars as pl


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
