"""Read tool calls and tool descriptions of every convention as OpenAI's ``{"type": "function", "function": ...}``."""

from typing import Any

from schemas.errors import BadRow, kind_of, short_repr
from schemas.exact_json import parse_noting
from schemas.json_text import blank, parse, read_list

ARGUMENTS = ("arguments", "parameters", "input", "args", "tool_input")
NAMES = ("name", "tool_name")
IDS = ("call_id", "tool_call_id", "toolCallId", "id")  # beside ``call_id``, an ``id`` is that of the message's part
SCHEMAS = ("parameters", "input_schema", "inputSchema")
NO_VALUE = ("", "null", "none", "nan", "[]", "{}")  # texts that writers leave for a missing value, in any case
BESIDE = (*IDS, "type", "index")  # keys of a call that say nothing without a name and arguments
_UNSAID = (None, "", "function")  # types of a tool; one of another type needs no name
LISTS = ("functions", "tools", "function_declarations", "functionDeclarations")  # a mapping that holds the tools


def read_tool_calls(value: Any, where: str) -> list[dict]:
    """Return calls as ``{"id", "type": "function", "function": {"name", "arguments"}}``, with arguments as a mapping.

    Chat templates write the arguments as JSON, so arguments left as text would be quoted twice. They are ``Rewritten``
    where their text had other digits than will be written. A call without an id has none here
    (``schemas.call_ids`` gives it one).

    Args:
        value: One call or a list of calls, each a mapping or JSON text. A call may be bare (``{"name", "arguments"}``)
            and is then put under ``function``; its ``id`` and ``type`` stay outside. One that has neither a name nor
            arguments, as Arrow writes for the rows without a call, is none.
        where: The message, in an error.
    """
    if is_no_value(value):
        return []
    calls = [_parsed(call) for call in _parse_lines(value, where)]
    return [read_call(call, where) for call in calls if not _says_nothing(call)]


def is_no_value(value: Any) -> bool:
    """Return whether a value is what a writer leaves for a missing one: null, ``""``, ``"None"``, ``{}``, ``[]``."""
    if isinstance(value, str):
        return blank(value) or (len(value) < 20 and value.strip().lower() in NO_VALUE)
    return value is None or value is False or (isinstance(value, dict | list) and not value)


def _says_nothing(found: Any) -> bool:
    """Return whether all values of a call, or of a tool's description, are missing ones."""
    if not isinstance(found, dict):
        return is_no_value(found)
    if isinstance(found.get("name"), str) and not is_no_value(found["name"]):
        return False
    inner = _parsed(found.get("function"))
    if any(one.get(key) in ("none", "nan") for one in (found, inner) if isinstance(one, dict) for key in NAMES):
        return False  # a function may have that name
    return _is_hollow({k: v for k, v in found.items() if k not in BESIDE and k != "function"}) and _is_hollow(inner)


def _is_hollow(value: Any, depth: int = 6) -> bool:
    """Return whether a value is a missing one, or a mapping of such, as Arrow writes for a missing mapping."""
    if isinstance(value, dict) and value and depth:
        return all(_is_hollow(one, depth - 1) for one in value.values())
    return is_no_value(value)


def take_legacy_call(rest: dict, role: str, calls: list[dict], where: str) -> list[dict]:
    """Take ``function_call`` out of a message; return its calls, without those that ``calls`` has too.

    Only the assistant calls. Arrow writes the key in every message, without values in those that have no call.
    """
    value = rest.get("function_call")
    if value == "auto" or not (role == "assistant" or _says_nothing(value)):
        return []
    found = read_tool_calls(rest.pop("function_call", None), where)
    return [call for call in found if not _is_among(call, calls)]


def _is_among(call: dict, calls: list[dict]) -> bool:
    """Return whether a call is one of several, whatever their ids are."""
    return any(call["function"] == other["function"] for other in calls)


def _parse_lines(value: Any, where: str) -> list:
    """Return a list of calls; text is JSON: a list, one call, or a call a line."""
    try:
        calls = _parse_if_text(value, where, "a tool call")
    except BadRow:
        lines = [line for line in value.splitlines() if not blank(line)]
        if len(lines) < 2 or not all(line.lstrip().startswith("{") for line in lines):
            raise
        calls = lines
    if calls is None:
        return []
    return calls if isinstance(calls, list) else [calls]


def read_call(call: Any, where: str) -> dict:
    """Return one call in OpenAI's form; keys that the form does not have are kept where they were.

    Raises:
        BadRow: The call has no name, or its arguments are no mapping.
    """
    if not isinstance(call, dict):
        raise BadRow(f"{where}: a tool call is {kind_of(call)}; expected a mapping with name and arguments")
    function = call.get("function")
    is_bare = not isinstance(function, dict)
    inner = function if not is_bare else call if function is None else {**call, "name": function}
    name_key, key = _first(NAMES, inner), _first(ARGUMENTS, inner)
    name = inner.get(name_key)
    if not isinstance(name, str) or blank(name) or (isinstance(function, str) and not key):
        raise BadRow(f"{where}: a tool call without a name; expected {{'name': ..., 'arguments': {{...}}}}")
    arguments = inner.get(key)
    for _ in range(2):  # the text may be JSON text of JSON text
        if isinstance(arguments, str) and not is_no_value(arguments):
            arguments = _parse_if_text(arguments, where, "arguments")
    if is_no_value(arguments) or arguments == 0:
        arguments = {}
    if not isinstance(arguments, dict):
        raise BadRow(f"{where}: a tool call's arguments are {kind_of(arguments)}; expected a mapping")
    made = {"name": name, "arguments": arguments}
    if not is_bare and len(inner) > 2:
        made |= {k: v for k, v in inner.items() if k not in (name_key, key)}
    id_key = _first(IDS, call)
    found = id_text(call.get(id_key))
    result: dict[str, Any] = {} if found is None else {"id": found}
    result |= {"type": "function", "function": made}
    used = (id_key, "id", "type", "function", *((name_key, key) if is_bare else ()))
    return result | {k: v for k, v in call.items() if v is not None and k not in used}


def id_text(value: Any) -> str | None:
    """Return an id as text; a number becomes one, and ``None`` where the value is no id."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and not is_no_value(value) else None


def _first(names: tuple[str, ...], mapping: dict) -> str:
    """Return the first of the names that has a value in a mapping, else the first that it has, else an empty text."""
    found = ""
    for name in names:
        if mapping.get(name) is not None:
            return name
        if name in mapping:
            found = found or name
    return found


def _parse_if_text(value: Any, where: str, what: str) -> Any:
    """Return ``value``, parsed as JSON where it is text."""
    if not isinstance(value, str):
        return value
    try:
        return parse_noting(value)
    except ValueError:
        raise BadRow(f"{where}: {what} is not JSON: {short_repr(value)}") from None


def read_tools(value: Any, key: str = "tools") -> list[dict] | None:
    """Return tool descriptions as ``{"type": "function", "function": {...}}``; ``None`` where there are none.

    Args:
        value: One description or a list of them, each a mapping or JSON text; also all of it as JSON text, or a mapping
            that holds the list under one of ``LISTS``. A description may be bare, as in OpenAI's legacy ``functions``
            and Anthropic's tools, and its parameters may be JSON text.
        key: The name of ``value`` in an error.
    """
    if is_no_value(value):
        return None
    if isinstance(value, str):
        try:
            value = parse(value)
        except ValueError:
            pass  # ``read_list`` says what is wrong
        if is_no_value(value):
            return None
    tools: list[dict] = []
    for index, tool in enumerate([value] if isinstance(value, dict) else read_list(value, key)):
        tools += _read_tool(tool, f"{key}[{index}]")
    return tools or None


def _read_tool(tool: Any, where: str) -> list[dict]:
    """Return one description in OpenAI's form, or all of a mapping that holds a list of them."""
    found = tool
    if isinstance(tool, str):
        try:
            found = parse(tool)
        except ValueError:
            pass
    if is_no_value(found) or (isinstance(found, dict) and found.get("type") in _UNSAID and _says_nothing(found)):
        return []
    if not isinstance(found, dict):
        shown = f", found {short_repr(tool)}" if isinstance(tool, str) else ""
        raise BadRow(f"{where} is {kind_of(tool)}; expected a mapping that describes a function{shown}")
    inner = next((found[name] for name in LISTS if isinstance(found.get(name), list)), None)
    if inner is not None and "name" not in found:
        return [one for index, tool in enumerate(inner) for one in _read_tool(tool, f"{where}[{index}]")]
    function = _parsed(found.get("function"))
    if isinstance(function, dict) and function:
        return [{"type": "function", **found, "function": _described(function)}]
    if "name" not in found:
        return [found]  # a tool of another kind, such as {"type": "web_search"}
    bare = {k: v for k, v in found.items() if not (k == "type" and v == "function")}
    return [{"type": "function", "function": _described(bare)}]


def _described(function: dict) -> dict:
    """Return the description of a function with its parameters, under that name, as a mapping."""
    schema = next((name for name in SCHEMAS if name in function), None)
    if schema is None:
        return function
    return {"parameters" if k == schema else k: _parsed(v) if k == schema else v for k, v in function.items()}


def _parsed(value: Any) -> Any:
    """Return a mapping that is JSON text as a mapping, anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        found = parse_noting(value) if not blank(value) else {}
    except ValueError:
        return value
    return found if isinstance(found, dict) else value
