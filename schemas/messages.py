"""Turns: what a message is here, and how the ways people write one become ours.

A turn is ``{"role": ..., "content": text, ...}`` with a role of ``ROLES``. ``from``/``value`` turns (ShareGPT), content
in text parts, JSON-text tool calls and bare tool descriptions become that form. Whatever cannot is a ``BadRow``.
"""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from schemas.errors import nearest

ROLES = ("system", "developer", "user", "assistant", "tool")
ALIASES = {"human": "user", "gpt": "assistant", "function_call": "assistant", "observation": "tool"}


class BadRow(ValueError):
    """One row cannot be read. Its text is one line: what was found and what was expected, without the file."""


def kind(value: Any) -> str:
    """Return what a value is in words: ``"a number"``, ``"a list"``."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def short(value: Any, width: int = 40) -> str:
    """Return ``repr(value)``, cut to ``width`` characters: data is hostile, an error is one line."""
    try:
        shown = repr(value)
    except RecursionError:
        return "(something nested too deeply to show)"
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."


def parse(text: str) -> Any:
    """Return the value of JSON text. NaN, which Python's own writers leave for a missing number, is read as null.

    Raises ``json.JSONDecodeError`` where it is not JSON, and ``ValueError`` for infinity, for numbers of thousands of
    digits and for lists nested too deeply.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError("lists or mappings are nested too deeply") from None


def _constant(name: str) -> None:
    if name != "NaN":
        raise ValueError(f"{name} is not a JSON number")


def _default(value: Any) -> str:
    if isinstance(value, date | datetime | time | timedelta | Decimal):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_DECODER = json.JSONDecoder(parse_constant=_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_default)


def dump(value: Any, key: str) -> str:
    """Return compact JSON text of ``value``. Dates and decimals become text. ``key`` names it in the ``BadRow``."""
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


def dump_turns(messages: list[dict], key: str) -> str:
    """Return ``dump(messages, key)``, faster for turns of a role and a text, which nearly all are."""
    parts = [
        f'{{"role":"{turn["role"]}","content":{encode_basestring(turn["content"])}}}'
        if len(turn) == 2
        else dump(turn, key)
        for turn in messages
    ]
    return encodable(f"[{','.join(parts)}]", key)


def encodable(text: str, key: str) -> str:
    r"""Return ``text``, or raise ``BadRow`` where half of a surrogate pair (JSON's ``"\ud83d"``) makes it no text."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = f"\\u{ord(text[error.start]):04x}"
            raise BadRow(f"{key!r} holds {found}, half of a surrogate pair, which is no character") from None
    return text


def listed(value: Any, key: str) -> list:
    """Return a list that is given as one, or as JSON text (in a CSV column, in a Parquet file of ours)."""
    found = value
    if isinstance(value, str):
        try:
            found = parse(value)
        except ValueError:
            pass
    if not isinstance(found, list):
        shown = f" (or a list as JSON text), found {short(value)}" if isinstance(value, str) else ""
        raise BadRow(f"{key!r} is {kind(value)}; expected a list{shown}")
    return found


def blank(text: str) -> bool:
    """Return whether a text is empty or white space only."""
    return not text or text.isspace()


def turns(value: Any, key: str, *, empty_ok: bool = False) -> list[dict]:
    """Return the turns of ``value``: a list of messages, or one message. At least one, or a ``BadRow``.

    ``empty_ok`` accepts an assistant turn without text (a recorded sample may be empty; an answer to learn from not).
    """
    items = [value] if isinstance(value, dict) else listed(value, key)
    if not items:
        raise BadRow(f"{key!r} is empty; expected at least one message")
    return [_turn(item, key, index, empty_ok) for index, item in enumerate(items)]


def _turn(item: Any, key: str, index: int, empty_ok: bool) -> dict:
    where = f"{key}[{index}]"
    if not isinstance(item, dict):
        raise BadRow(f"{where} is {kind(item)}; expected a message such as {{'role': 'user', 'content': '...'}}")
    name = item.get("role", item.get("from"))
    if not isinstance(name, str):
        keys = ", ".join(short(k) for k in item)
        raise BadRow(f"{where} has no role: found the keys {keys}; expected role and content (or from and value)")
    role = ALIASES.get(name, name)
    if role not in ROLES:
        raise BadRow(f"{where}: no role {short(name)}{nearest(name[:40], [*ROLES, *ALIASES])}")
    content = item.get("content", item.get("value"))
    if name == "function_call":
        turn = {"role": role, "content": "", "tool_calls": _tool_calls(content, where)}
    else:
        turn = {"role": role, "content": _content(content, where, missing_ok=bool(item.get("tool_calls")))}
    for extra, given in item.items():
        if extra not in ("role", "from", "content", "value") and given is not None:
            turn[extra] = _tool_calls(given, where) if extra == "tool_calls" else given
    may_be_empty = role not in ("user", "assistant") or turn.get("tool_calls") or (empty_ok and role == "assistant")
    if blank(turn["content"]) and not may_be_empty:
        raise BadRow(f"{where}: the {role} turn's content is empty")
    return turn


def _content(value: Any, where: str, *, missing_ok: bool) -> str:
    """Return a turn's text. Content given in parts is joined; a part that is no text (an image) is refused."""
    if isinstance(value, str):
        return value
    if value is None and missing_ok:
        return ""
    if not isinstance(value, list):
        raise BadRow(f"{where}: content is {kind(value)}; expected text")
    for part in value:
        if not (isinstance(part, dict) and isinstance(part.get("text"), str)):
            found = short(part.get("type")) if isinstance(part, dict) else kind(part)
            raise BadRow(f"{where}: content has a part that is {found}; only text parts are read")
    return "".join(part["text"] for part in value)


def _tool_calls(value: Any, where: str) -> list[dict]:
    """Return calls as ``{"type": "function", "function": {"name", "arguments"}}``, arguments as a mapping.

    Chat templates write the arguments as JSON themselves: arguments left as text would be quoted twice.
    """
    calls = _json(value, where, "a tool call")
    result = []
    for call in calls if isinstance(calls, list) else [calls]:
        if not isinstance(call, dict):
            raise BadRow(f"{where}: a tool call is {kind(call)}; expected a mapping with name and arguments")
        outer = call if "function" in call else {"type": "function", "function": call}
        function = outer["function"]
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise BadRow(f"{where}: a tool call without a name; expected {{'name': ..., 'arguments': {{...}}}}")
        arguments = _json(function.get("arguments", function.get("parameters", {})) or {}, where, "arguments")
        if not isinstance(arguments, dict):
            raise BadRow(f"{where}: a tool call's arguments are {kind(arguments)}; expected a mapping")
        result.append({**outer, "function": {"name": function["name"], "arguments": arguments}})
    return result


def _json(value: Any, where: str, what: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse(value)
    except ValueError:
        raise BadRow(f"{where}: {what} is not JSON: {short(value)}") from None


def tools(value: Any) -> list[dict] | None:
    """Return tool descriptions as ``{"type": "function", "function": {...}}``; none, empty text or list is None."""
    if value is None or (isinstance(value, str) and blank(value)):
        return None
    found = listed(value, "tools")
    for index, tool in enumerate(found):
        if not isinstance(tool, dict):
            raise BadRow(f"tools[{index}] is {kind(tool)}; expected a mapping that describes a function")
    return [t if "function" in t or "name" not in t else {"type": "function", "function": t} for t in found] or None


def same(one: dict, other: dict) -> bool:
    """Return whether two turns say the same; copies of a prompt often differ in white space at the ends."""
    return (
        one["role"] == other["role"]
        and one["content"].strip() == other["content"].strip()
        and one.get("tool_calls") == other.get("tool_calls")
    )


def last_text(messages: list[dict], role: str) -> str | None:
    """Return the text of the last turn of ``role``, or None."""
    for turn in reversed(messages):
        if turn["role"] == role:
            return turn["content"]
    return None


def trailing_answers(messages: list[dict]) -> int:
    """Return how many turns at the end are the assistant's."""
    count = 0
    while count < len(messages) and messages[-1 - count]["role"] == "assistant":
        count += 1
    return count


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
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if reasoning_content:
        message["reasoning_content"] = reasoning_content
    if tool_calls:
        message["tool_calls"] = json.loads(tool_calls)
    return json.dumps([message], ensure_ascii=False)
