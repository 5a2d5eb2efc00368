"""Conversations that are no messages: a transcript, texts by turns, or rounds of a question and its answer."""

from typing import Any

from curate.sources.rows import layout_names as names
from curate.sources.rows.row_keys import ROUND_KEYS
from curate.sources.rows.transcripts import is_transcript, read_transcript


def turns_of(value: Any, key: str) -> Any:
    """Return a conversation's turns: texts by turns, or rounds of a question and its answer, become messages."""
    if isinstance(value, str) and is_transcript(value):
        return read_transcript(value, "conversation", empty_end=True)
    first = value[0] if isinstance(value, list) and value else None
    if isinstance(first, dict) and first.keys() not in ROUND_KEYS:
        return value  # messages, as nearly always
    if first is not None:
        if all(isinstance(turn, str) for turn in value) and (len(value) > 1 or key != "messages"):
            return [{"role": ("user", "assistant")[index % 2], "content": turn} for index, turn in enumerate(value)]
        for asked, answered in names.ROUNDS:
            if all(isinstance(turn, dict) and turn.keys() == {asked, answered} for turn in value):
                roles = (("user", asked), ("assistant", answered))
                return [{"role": role, "content": turn[key]} for turn in value for role, key in roles]
    return value
