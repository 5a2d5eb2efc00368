"""Build requests that quote untrusted texts: between tags, which no text can close."""

import re
from collections.abc import Callable
from typing import Any

from schemas.json_text import dump, parse
from schemas.messages import ROLES, Message, dump_turns


def turns_of(messages: str | None) -> list[Message] | None:
    """Return messages given as JSON text, or None if they are not a list of messages with a role and a text."""
    return None if messages is None else turns_where(messages, lambda turn: isinstance(turn.get("content"), str))


def turns_where(messages: str, valid: Callable[[dict[str, Any]], bool]) -> list[Any] | None:
    """Return messages given as JSON text, or None if they are no list of messages with a role that are ``valid``."""
    try:
        turns = parse(messages)
        if "\\u" in messages:
            dump(turns, "messages")  # raises for half of a surrogate pair
    except ValueError:
        return None
    if not isinstance(turns, list) or not turns:
        return None
    known = all(isinstance(turn, dict) and turn.get("role") in ROLES and valid(turn) for turn in turns)
    return turns if known else None


def ask_user(text: str) -> str:
    """Return a request with one message, from the user, as JSON text."""
    return dump_turns([{"role": "user", "content": text}], "messages")


def quote(tag: str, text: str, tags: str = "") -> str:
    """Return a text between ``<tag>`` and ``</tag>``.

    Args:
        tag: The tag.
        text: The text. Tags in it get a space after ``<``, so that they neither end the quote nor begin another.
        tags: The tags to escape so, joined by ``|``; ``tag`` alone if empty.
    """
    return enclose(tag, escape(text, tags or tag))


def conversation(turns: list[Message], tags: str = "") -> str:
    """Return a conversation as one text that quotes each message between tags of its role.

    Args:
        turns: The messages.
        tags: Tags to escape in the messages beside ``conversation`` and the roles, joined by ``|``.
    """
    every_tag = "|".join(filter(None, ("conversation", *ROLES, tags)))
    parts = []
    for turn in turns:
        tool_calls = [dump(turn["tool_calls"], "tool_calls")] if turn.get("tool_calls") else []
        text = "\n".join([*filter(None, [turn["content"]]), *tool_calls])
        parts.append(enclose(turn["role"], escape(text, every_tag)))
    return enclose("conversation", "\n".join(parts))


def enclose(tag: str, text: str) -> str:
    """Return a text, in which the tag is broken already, between ``<tag>`` and ``</tag>``."""
    return f"<{tag}>\n{text}\n</{tag}>"


def escape(text: str, tags: str) -> str:
    """Put a space after the ``<`` of tags in a text."""
    return re.sub(rf"<(?=[\s/]{{0,3}}(?:{tags})\b)", "< ", text, flags=re.IGNORECASE)
