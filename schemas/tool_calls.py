"""Read tool calls and tool descriptions of every convention as OpenAI's ``{"type": "function", "function": ...}``."""

from typing import Any

from schemas.errors import BadRow, kind_of, short_repr
from schemas.json_text import blank, parse, read_list


def read_tool_calls(value: Any, where: str) -> list[dict]:
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
