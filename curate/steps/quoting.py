"""How a request quotes the texts of strangers: between tags, out of which no text can break."""

import re

from schemas.messages import ROLES, dump, dump_turns, parse


def turns_of(messages: str | None) -> list[dict] | None:
    """Return the turns of messages given as JSON text: each with a role and a text. None where they are not that."""
    if messages is None:
        return None
    try:
        found = parse(messages)
        if "\\u" in messages:
            dump(found, "messages")  # half of a surrogate pair is no text
    except ValueError:
        return None
    if not isinstance(found, list) or not found:
        return None
    good = all(isinstance(t, dict) and t.get("role") in ROLES and isinstance(t.get("content"), str) for t in found)
    return found if good else None


def ask_user(text: str) -> str:
    """Return the messages (JSON text) of a request that is one user turn."""
    return dump_turns([{"role": "user", "content": text}], "messages")


def quote(tag: str, text: str, tags: str = "") -> str:
    """Return a text between ``<tag>`` and ``</tag>``. The same tags within it are broken by a space: it cannot end.

    ``tags`` are further ones to break, joined by ``|``.
    """
    return _between(tag, _broken(text, tags or tag))


def conversation(turns: list[dict], tags: str = "") -> str:
    """Return a conversation as text, each turn between tags of its role, for a model that is to read it.

    ``tags`` are further ones to break, joined by ``|``.
    """
    every = "|".join(filter(None, ("conversation", *ROLES, tags)))
    parts = []
    for turn in turns:
        called = [dump(turn["tool_calls"], "tool_calls")] if turn.get("tool_calls") else []
        said = "\n".join([*filter(None, [turn["content"]]), *called])
        parts.append(_between(turn["role"], _broken(said, every)))
    return _between("conversation", "\n".join(parts))


def _between(tag: str, text: str) -> str:
    return f"<{tag}>\n{text}\n</{tag}>"


def _broken(text: str, tags: str) -> str:
    return re.sub(rf"<(?=[\s/]{{0,3}}(?:{tags})\b)", "< ", text, flags=re.IGNORECASE)
