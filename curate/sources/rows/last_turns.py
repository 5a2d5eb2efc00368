"""The turns at the end of a conversation that are left out: those that hold nothing, and those that nothing answers."""

from collections.abc import Sequence
from typing import Any

from curate.sources.rows.row_layout import Layout
from curate.sources.rows.transcripts import is_transcript
from curate.sources.rows.turn_lists import turns_of
from schemas.json_text import blank
from schemas.message_content import TEXTS
from schemas.message_lists import ROLE_KEYS, by_turns
from schemas.messages import CONTENT_KEYS, READ_KEYS, Message, role_of, trailing_assistant_count

_HOLDS = {*CONTENT_KEYS, *READ_KEYS}
NOTHING: Sequence[Message] = ()


def drop_empty_turns(rest: dict[str, Any], layout: Layout) -> Sequence[Message]:
    """Leave turns of the user and the assistant without anything off the end of a row's conversation; return them.

    A turn of the user stays where no turn of the assistant comes before it: that is no conversation.
    """
    key = layout.prompt or ""
    if not layout.turns or key not in rest or not _may_end_empty(rest[key], layout.answers):
        return NOTHING
    value, dropped = rest[key], []
    turns = by_turns(value) if isinstance(value, dict) else turns_of(value, key)
    while len(turns) > 1 and (role := _role_of_empty(turns[-1])):
        if role == "user" and not any(isinstance(turn, dict) and role_of(turn) == "assistant" for turn in turns[:-1]):
            break
        dropped.insert(0, {"role": role, "content": ""})
        turns = turns[:-1]
    if dropped:
        rest[key] = turns
    return dropped


def _may_end_empty(value: Any, answers: str) -> bool:
    """Return whether the last turn of a conversation may hold nothing, at a quick look; of nearly all it does not."""
    if not isinstance(value, list):
        return isinstance(value, dict) or (isinstance(value, str) and is_transcript(value))
    last = value[-1] if value else None
    if not isinstance(last, dict):
        return isinstance(last, str) and blank(last) and answers != "numbered"
    text = last.get("content", last.get("value"))
    return not isinstance(text, str) or blank(text)


def _role_of_empty(turn: Any) -> str | None:
    """Return the role of a turn of the user or the assistant that holds nothing; ``None`` of another turn."""
    role = role_of(turn) if isinstance(turn, dict) else None
    if role not in ("user", "assistant"):
        return None
    held = (v for k, v in turn.items() if k in _HOLDS or (isinstance(v, list | dict) and k not in ROLE_KEYS))
    return role if all(map(_is_empty, held)) else None


def _is_empty(value: Any) -> bool:
    """Return whether a content is null, a blank text, or text parts without a text."""
    if isinstance(value, dict):
        kind = value.get("type", value.get("content_type"))
        others = (one for key, one in value.items() if key not in ("type", "content_type"))
        return kind in (None, *TEXTS) and all(map(_is_empty, others))
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return value is None or (isinstance(value, str) and blank(value))


def cut_unanswered(messages: list[Message]) -> tuple[list[Message], Sequence[Message]]:
    """Return a conversation up to the assistant's last turn, and the turns behind it, which nothing answers.

    Where no user's turn comes before a turn of the assistant, nothing is cut.
    """
    kept, behind = cut_behind_answer(messages)
    asked = kept[: len(kept) - trailing_assistant_count(kept)]
    if not behind or not any(message["role"] == "user" for message in asked):
        return messages, ()
    return kept, behind


def cut_behind_answer(messages: list[Message], cut: bool = True) -> tuple[list[Message], Sequence[Message]]:
    """Return messages up to the assistant's last turn, and those behind it.

    Where there is no such turn, or ``cut`` is false, these are all of them, and none.
    """
    end = len(messages)
    while cut and end and messages[end - 1]["role"] != "assistant":
        end -= 1
    return (messages[:end], messages[end:]) if 0 < end < len(messages) else (messages, ())
