"""Ids for tool calls that have none."""

import hashlib
from collections.abc import Mapping
from typing import Any

LENGTH = 9  # Mistral's templates refuse an id of another length, or with other characters


def call_id(turn: int, number: int, function: Mapping[str, Any], again: int = 0) -> str:
    """Return the id of a call that has none: the same for the same call in the same place.

    Args:
        turn: How many turns with calls stand before its own in the conversation.
        number: Its place among the calls of its turn.
        function: Its name and arguments.
        again: Counted up where the id is taken.
    """
    text = repr((turn, number, function, again))
    return hashlib.sha256(text.encode()).hexdigest()[:LENGTH]
