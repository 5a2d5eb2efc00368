"""Conversations of a store cut to what a report has room for; what is cut is said where it is cut."""

from collections.abc import Mapping
from typing import Any

from cli.pages.conversation import parsed

MOST_TURNS = 20  # of a conversation
LONGEST = 2_000  # characters of a text of a turn
TEXTS = ("content", "reasoning_content", "arguments")


def bounded(messages: str | None) -> tuple[Any, int]:
    """Return messages of which long texts are cut, and how many turns are left out.

    Args:
        messages: A list of messages as JSON text; another text is cut as one.
    """
    turns = parsed(messages or "")
    if not isinstance(turns, list):
        return _cut(turns if isinstance(turns, str) else messages), 0
    return [_turn(turn) for turn in turns[:MOST_TURNS]], max(0, len(turns) - MOST_TURNS)


def _turn(value: Any) -> Any:
    """Return a turn, or a part of one, with its texts cut."""
    if isinstance(value, Mapping):
        return {key: _cut(one) if key in TEXTS and isinstance(one, str) else _turn(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_turn(one) for one in value[:MOST_TURNS]]
    return _cut(value) if isinstance(value, str) else value


def _cut(text: str | None) -> str:
    text = text or ""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} … {len(text) - LONGEST:,} more characters"
