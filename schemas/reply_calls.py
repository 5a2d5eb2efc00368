"""The tool calls of a model's reply in the stored form, whatever the model wrote; what is wrong with one is kept."""

import json
from collections.abc import Mapping
from typing import Any

from schemas.call_ids import call_id
from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import dump, parse
from schemas.tool_calls import ARGUMENTS, NAMES, read_tool_calls

BROKEN = "completions with a tool call that cannot be read (completions.error), in no dataset"
BROKEN_CALL = "broken tool call"  # the reason of their decisions


def read_reply_calls(text: str, turn: int = 0) -> list[dict]:
    """Return the calls of a reply in the stored form; one that cannot be read keeps its arguments as text.

    The ids are ours: those that servers draw differ between equal replies, and no result refers to them yet.

    Args:
        text: The calls in OpenAI's form, as JSON text.
        turn: How many turns with calls stand before the reply in its conversation.
    """
    try:
        found = parse(text)
    except ValueError:
        found = [text]
    calls: list[dict] = []
    for call in found if isinstance(found, list) else [found]:
        try:
            read = [_unread(call)] if _holds_nan(call) else read_tool_calls([call], "")
            dump(read, "")
        except BadRow:
            read = [_unread(call)]
        calls += [{key: value for key, value in one.items() if key != "id"} for one in read]
    return with_ids(calls, turn)


def with_ids(calls: list[dict], turn: int) -> list[dict]:
    """Return the calls of one message, which have no ids, with ours."""
    return [{"id": call_id(turn, number, call["function"]), **call} for number, call in enumerate(calls)]


def _unread(call: Any) -> dict:
    """Return a call that cannot be read in the stored form, but for its arguments, which are text."""
    outer = call if isinstance(call, dict) else {}
    function = outer["function"] if isinstance(outer.get("function"), dict) else outer
    name = next((function[key] for key in NAMES if isinstance(function.get(key), str)), "")
    given = function.get("arguments", function.get("parameters")) if name else call
    text = given if isinstance(given, str) else json.dumps(given, default=str)
    return {"type": "function", "function": {"name": _encodable(name), "arguments": _encodable(text)}}


def _holds_nan(call: Any) -> bool:
    """Return whether the arguments of a call are JSON text that holds NaN, which would be read as null."""
    outer = call if isinstance(call, dict) else {}
    function = outer["function"] if isinstance(outer.get("function"), dict) else outer
    return any(_text_holds_nan(function.get(key)) for key in ARGUMENTS)


def _text_holds_nan(text: Any) -> bool:
    if not isinstance(text, str) or "NaN" not in text:
        return False
    names: list[str] = []
    try:
        value = json.loads(text, parse_constant=names.append)
    except (ValueError, RecursionError):
        return False
    return "NaN" in names or _text_holds_nan(value)  # the text may be JSON text of JSON text


def _encodable(text: str) -> str:
    """Return a text with half of a surrogate pair as an escape, as it stands in JSON."""
    return text.encode("utf-8", "backslashreplace").decode()


def call_problem(message: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the first call of a message that could not be read, or ``None``."""
    for number, call in enumerate(message.get("tool_calls") or [], 1):
        name, given = call["function"]["name"], call["function"]["arguments"]
        if isinstance(given, str):
            return f"tool call {number} ({name or 'no name'}): {_wrong(name, given)}"
    return None


def _wrong(name: str, given: str) -> str:
    if not name.strip():
        return f"it has no name: {short_repr(given, 80)}"
    try:
        value = parse(given)
    except ValueError:
        return f"the arguments are not JSON: {short_repr(given, 80)}"
    if _text_holds_nan(given):
        return f"the arguments hold NaN, which JSON does not have: {short_repr(given, 80)}"
    if not isinstance(value, dict):
        return f"the arguments are {kind_of(value)}, expected a mapping: {short_repr(given, 80)}"
    try:
        dump(value, "arguments")
    except BadRow as error:
        return str(error)
    return f"the arguments cannot be read: {short_repr(given, 80)}"
