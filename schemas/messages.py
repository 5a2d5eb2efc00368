"""Read and write chat messages: every convention for one is converted to a single form.

A message is ``{"role": ..., "content": text, ...}`` with a role of ``ROLES``. ``from``/``value`` messages (ShareGPT),
content in text parts and tool calls as JSON text are converted to that form; anything else is a ``BadRow``.
"""

import json
from json.encoder import encode_basestring
from typing import Any, Required, TypedDict

from schemas.errors import BadRow, kind_of, nearest, short_repr
from schemas.json_text import blank, dump, encodable, read_list
from schemas.tool_calls import read_tool_calls

ROLES = ("system", "developer", "user", "assistant", "tool")
ALIASES = {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "tool"}


class Message(TypedDict, total=False):
    """One message of a conversation, in our form; a message of a source may have further keys, which are kept."""

    role: Required[str]
    content: Required[str]
    name: str
    tool_call_id: str
    reasoning_content: str
    tool_calls: list[dict[str, Any]]


def dump_turns(messages: list[Message], key: str) -> str:
    """Return ``dump(messages, key)``, faster for messages that have a role and a content only, as nearly all do."""
    parts = [
        f'{{"role":"{message["role"]}","content":{encode_basestring(message["content"])}}}'
        if len(message) == 2
        else dump(message, key)
        for message in messages
    ]
    return encodable(f"[{','.join(parts)}]", key)


def read_messages(value: Any, key: str, *, empty_ok: bool = False) -> list[Message]:
    """Return the messages of ``value`` in our form, at least one.

    Args:
        value: One message or a list of messages, in any of the conventions that this module reads.
        key: The name of ``value`` in an error.
        empty_ok: Whether an assistant message may have no text. A recorded sample may be empty; a completion to train
            on may not.

    Raises:
        BadRow: ``value`` has no messages, or one of them cannot be read.
    """
    items = [value] if isinstance(value, dict) else read_list(value, key)
    if not items:
        raise BadRow(f"{key!r} is empty; expected at least one message")
    return [_read_message(item, key, index, empty_ok) for index, item in enumerate(items)]


def _read_message(item: Any, key: str, index: int, empty_ok: bool) -> Message:
    """Return one message in our form; further keys of it are kept."""
    where = f"{key}[{index}]"
    if not isinstance(item, dict):
        raise BadRow(f"{where} is {kind_of(item)}; expected a message such as {{'role': 'user', 'content': '...'}}")
    name = item.get("role", item.get("from"))
    if not isinstance(name, str):
        keys = ", ".join(short_repr(k) for k in item)
        raise BadRow(f"{where} has no role: found the keys {keys}; expected role and content (or from and value)")
    role = ALIASES.get(name, name)
    if role not in ROLES:
        raise BadRow(f"{where}: no role {short_repr(name)}{nearest(name[:40], [*ROLES, *ALIASES])}")
    content = item.get("content", item.get("value"))
    calls = name == "function_call"
    text = "" if calls else _content(content, where, missing_ok=bool(item.get("tool_calls")))
    message: Any = {"role": role, "content": text}  # may have keys that ``Message`` does not name
    if calls:
        message["tool_calls"] = read_tool_calls(content, where)
    for extra, given in item.items():
        if extra not in ("role", "from", "content", "value") and given is not None:
            message[extra] = read_tool_calls(given, where) if extra == "tool_calls" else given
    may_be_empty = role not in ("user", "assistant") or message.get("tool_calls") or (empty_ok and role == "assistant")
    if blank(message["content"]) and not may_be_empty:
        raise BadRow(f"{where}: the {role} turn's content is empty")
    return message


def _content(value: Any, where: str, *, missing_ok: bool) -> str:
    """Return a message's text. Text parts are joined; a part of another type, such as an image, is a ``BadRow``."""
    if isinstance(value, str):
        return value
    if value is None and missing_ok:
        return ""
    if not isinstance(value, list):
        raise BadRow(f"{where}: content is {kind_of(value)}; expected text")
    for part in value:
        if not (isinstance(part, dict) and isinstance(part.get("text"), str)):
            found = short_repr(part.get("type")) if isinstance(part, dict) else kind_of(part)
            raise BadRow(f"{where}: content has a part that is {found}; only text parts are read")
    return "".join(part["text"] for part in value)


def same_message(one: Message, other: Message) -> bool:
    """Return whether two messages have the same role, text and tool calls.

    White space at the ends does not count: copies of a prompt often differ in it.
    """
    return (
        one["role"] == other["role"]
        and one["content"].strip() == other["content"].strip()
        and one.get("tool_calls") == other.get("tool_calls")
    )


def last_text(messages: list[Message], role: str) -> str | None:
    """Return the text of the last message of ``role``, or ``None``."""
    for message in reversed(messages):
        if message["role"] == role:
            return message["content"]
    return None


def trailing_assistant_count(messages: list[Message]) -> int:
    """Return how many messages at the end are the assistant's."""
    count = 0
    while count < len(messages) and messages[-1 - count]["role"] == "assistant":
        count += 1
    return count


def assistant_message(text: str, reasoning_content: str | None = None, tool_calls: str | None = None) -> Message:
    """Return a model's reply as a message; the arguments are those of ``assistant_messages``."""
    message: Message = {"role": "assistant", "content": text}
    if reasoning_content:
        message["reasoning_content"] = reasoning_content
    if tool_calls:
        message["tool_calls"] = json.loads(tool_calls)
    return message


def assistant_messages(
    text: str | None, reasoning_content: str | None = None, tool_calls: str | None = None
) -> str | None:
    """Return a model's reply as the JSON text of a list with one assistant message.

    Args:
        text: The reply's text; ``None`` where there is no reply, and the result is then ``None`` too.
        reasoning_content: The reasoning trace, which becomes a key of the message unless it is empty.
        tool_calls: The tool calls as JSON text, which become a key of the message unless it is empty.
    """
    if text is None:
        return None
    return json.dumps([assistant_message(text, reasoning_content, tool_calls)], ensure_ascii=False)
