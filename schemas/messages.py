"""Read and write chat messages: every convention for one is converted to a single form.

A message is ``{"role": ..., "content": text, ...}`` with a role of ``ROLES``. ``from``/``value`` messages (ShareGPT),
content in text parts, tool calls as JSON text and bare tool descriptions are converted to that form; anything else is
a ``BadRow``.
"""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any, Required, TypedDict

from schemas.errors import kind_of, nearest

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


class BadRow(ValueError):
    """One row cannot be read. The message is one line that says what was found and what was expected, not where."""


def short_repr(value: Any, width: int = 40) -> str:
    """Return ``repr(value)`` cut to ``width`` characters, since a value in a data file may be of any size."""
    try:
        shown = repr(value)
    except RecursionError:
        return "(something nested too deeply to show)"
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


def parse(text: str) -> Any:
    """Return the value of JSON text. NaN, which Python's writers leave for a missing number, is read as null.

    Raises:
        json.JSONDecodeError: The text is not JSON.
        ValueError: It has an infinite number, a number of thousands of digits, or lists nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("lists or mappings are nested too deeply") from None


def _parse_constant(name: str) -> None:
    """Return ``None`` for NaN; raise ``ValueError`` for infinity."""
    if name != "NaN":
        raise ValueError(f"{name} is not a JSON number")


def _encode_other(value: Any) -> str:
    """Return a date, a time or a decimal as text; raise ``TypeError`` for other types that JSON does not have."""
    if isinstance(value, date | datetime | time | timedelta | Decimal):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_DECODER = json.JSONDecoder(parse_constant=_parse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_encode_other)


def dump(value: Any, key: str) -> str:
    """Return compact JSON text of ``value``. Dates and decimals become text.

    Raises:
        BadRow: ``value`` has a part that JSON does not have; the message names the value as ``key``.
    """
    try:
        return encodable(_ENCODER.encode(value), key)
    except RecursionError:
        raise BadRow(f"{key!r} is nested too deeply") from None
    except TypeError as error:
        raise BadRow(f"{key!r} holds {error}; expected text, numbers, lists or mappings") from None
    except BadRow:
        raise
    except ValueError:
        raise BadRow(f"{key!r} holds an infinite number; expected a finite one") from None


def dump_turns(messages: list[Message], key: str) -> str:
    """Return ``dump(messages, key)``, faster for messages that have a role and a content only, as nearly all do."""
    parts = [
        f'{{"role":"{message["role"]}","content":{encode_basestring(message["content"])}}}'
        if len(message) == 2
        else dump(message, key)
        for message in messages
    ]
    return encodable(f"[{','.join(parts)}]", key)


def encodable(text: str, key: str) -> str:
    r"""Return ``text``; raise ``BadRow`` where it holds half of a surrogate pair (``"\ud83d"`` in JSON)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = f"\\u{ord(text[error.start]):04x}"
            raise BadRow(f"{key!r} holds {found}, half of a surrogate pair, which is no character") from None
    return text


def read_list(value: Any, key: str) -> list:
    """Return ``value`` as a list; it is one, or one as JSON text (as in CSV and in the store). Else a ``BadRow``."""
    items = value
    if isinstance(value, str):
        try:
            items = parse(value)
        except ValueError:
            pass
    if not isinstance(items, list):
        shown = f" (or a list as JSON text), found {short_repr(value)}" if isinstance(value, str) else ""
        raise BadRow(f"{key!r} is {kind_of(value)}; expected a list{shown}")
    return items


def blank(text: str) -> bool:
    """Return whether a text is empty or has white space only."""
    return not text or text.isspace()


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
        message["tool_calls"] = _tool_calls(content, where)
    for extra, given in item.items():
        if extra not in ("role", "from", "content", "value") and given is not None:
            message[extra] = _tool_calls(given, where) if extra == "tool_calls" else given
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


def _tool_calls(value: Any, where: str) -> list[dict]:
    """Return calls as ``{"type": "function", "function": {"name", "arguments"}}``, with arguments as a mapping.

    Chat templates write the arguments as JSON, so arguments left as text would be quoted twice.
    """
    calls = _parse_if_text(value, where, "a tool call")
    result = []
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict):
            raise BadRow(f"{where}: a tool call is {kind_of(call)}; expected a mapping with name and arguments")
        outer = call if "function" in call else {"type": "function", "function": call}
        function = outer["function"]
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRow(f"{where}: a tool call without a name; expected {{'name': ..., 'arguments': {{...}}}}")
        arguments = _parse_if_text(function.get("arguments", function.get("parameters", {})) or {}, where, "arguments")
        if not isinstance(arguments, dict):
            raise BadRow(f"{where}: a tool call's arguments are {kind_of(arguments)}; expected a mapping")
        result.append({**outer, "function": {"name": function["name"], "arguments": arguments}})
    return result


def _parse_if_text(value: Any, where: str, what: str) -> Any:
    """Return ``value``, parsed as JSON where it is text."""
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        raise BadRow(f"{where}: {what} is not JSON: {short_repr(value)}") from None


def read_tools(value: Any) -> list[dict] | None:
    """Return tool descriptions as ``{"type": "function", "function": {...}}``; ``None`` where there are none."""
    if value is None or (isinstance(value, str) and blank(value)):
        return None
    descriptions = read_list(value, "tools")
    for index, tool in enumerate(descriptions):
        if not isinstance(tool, dict):
            raise BadRow(f"tools[{index}] is {kind_of(tool)}; expected a mapping that describes a function")
    return [
        tool if "function" in tool or "name" not in tool else {"type": "function", "function": tool}
        for tool in descriptions
    ] or None


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
