"""Read the calls that a ground truth expects, written as JSON or as text (``_python_calls``)."""

import re
from typing import Any, NamedTuple

from curate.algorithms.text.written_lists import written_value
from curate.score._call_reading import Call, Tools, calls_of_forms, read_call
from curate.score._python_calls import python_calls
from curate.score.json_schema import read_json
from schemas.call_text import written_badly
from schemas.reasoning import split_reasoning

# Keys that hold the expected calls, whatever is beside them.
HOLDERS = (
    "tool_calls", "toolCalls", "function_call", "functionCall", "function_calls", "functionCalls", "tool_call",
    "toolCall", "toolUse",
)  # fmt: skip
LISTS = ("ground_truth", "answers", "calls", "expected", "expected_calls", "expected_tool_calls", "messages")
NAMES = ("name", "tool_name", "function_name", "func_name", "api_name", "recipient_name", "tool", "function", "action")
ARGUMENTS = ("arguments", "parameters", "input", "args", "tool_input", "action_input", "kwargs", "params", "api_args")
BESIDE = {
    "id", "call_id", "tool_call_id", "toolCallId", "toolUseId", "type", "index", "status", "cache_control", "caller",
    "thought", "thoughtSignature",
}  # fmt: skip
PARTS = ("text", "output_text", "thinking", "redacted_thinking", "reasoning", "refusal")  # of a message, without calls
MINE = ("assistant", "model", "gpt", "function_call", "tool_call", "bot", "chatgpt")  # who makes calls, in a message
OTHERS = ("system", "developer", "user", "human", "tool", "function", "ipython", "observation", "tool_response")
# What prose does not have: a call, a key of one, a line of ReAct, or a list or mapping that is not written well.
CALL_LIKE = re.compile(
    r"\w\((?:\s*\)|\s*[\w.-]{1,200}\s*=[^=])"
    r"|^[ \t]*\[?[\w.\-/]{1,200}\([^\n]*\)[\]; \t]*$"
    r"|[\"'](?:" + "|".join((*HOLDERS, *NAMES, *ARGUMENTS)) + r")[\"']\s*:"
    r"|^[ \t]*\**(?:Action|Tool|Function|Call|API)(?: Input| Name)?\**\s*:"
    r"|\A\{|\A\[[^\n]*\]\Z",
    re.MULTILINE,
)
UNREADABLE = "ground_truth looks like calls that can't be read"


class Expected(NamedTuple):
    """A call that is expected; ``accepted`` says whether each argument is the list of its accepted values (BFCL)."""

    name: str
    arguments: dict[str, Any]
    accepted: bool = False


def expected_calls(truth: str | None, tools: Tools) -> list[Expected] | None:
    """Return the calls that a ground truth expects, [] if it expects none, or None if it is prose, without calls.

    It may hold them as JSON: name and arguments, OpenAI's, Anthropic's or Gemini's form, a message with these, BFCL's
    ``{name: {argument: [accepted values]}}``, or a list of these; or as text in a form of ``schemas.call_forms``, or as
    Python writes calls (``[weather(city="Paris")]``: ToolACE). A text for a number or truth value becomes one. A call
    without arguments may have none written, if the function requires none.

    Raises:
        ValueError: If it holds calls that can't be read, or a call of a function that is not among the tools, or is a
            list or mapping of something else.
    """
    if truth is None or not truth.strip():
        return None
    found = _of_text(truth, tools)
    if found is None:
        return None
    for call in found:
        if call.name not in tools.checkers:
            raise ValueError(f"ground_truth calls {call.name[:60]!r}, which is not among the tools")
        if not call.arguments and tools.checkers[call.name].violations({}):
            raise ValueError(f"ground_truth: {call.name[:60]!r} has required arguments, and none are given")
    return [call._replace(arguments=_typed(call, tools)) for call in found]


def _of_text(text: str, tools: Tools, depth: int = 3) -> list[Expected] | None:
    """Return the expected calls of a text; None where it is prose. Raises ``ValueError`` where it is neither."""
    text = split_reasoning(text)[1].strip()
    if text.startswith("```") and text.endswith("```") and text.count("```") == 2 and "\n" in text:
        text = text[text.index("\n") : -3].strip()
    value = written_value(text)
    if isinstance(value, str) and value.strip() and depth:  # JSON text of JSON text
        return _of_text(value, tools, depth - 1)
    if isinstance(value, dict):
        return _of_mapping(value, tools)
    if isinstance(value, list):
        return _of_list(value, tools)
    found = python_calls(text, tuple(tools.checkers))
    if found is not None:
        return [Expected(name, arguments) for name, arguments in found]
    calls = calls_of_forms(text, tools.properties, literals=True)
    if calls:
        return [_as_expected(call) for call in calls]
    named = next((name for name in tools.checkers if _names(text, name)), None)
    if named is not None or CALL_LIKE.search(text) or written_badly(text, tools.properties):
        raise _unreadable(text)
    return None


def _names(text: str, name: str) -> bool:
    """Return whether a text is the name of a tool, has it in quotes, or anywhere if it is no word of prose."""
    if name not in text:
        return False
    quoted = any(f"{mark}{name}{mark}" in text for mark in "\"'`")
    return text == name or quoted or not (name.isalpha() and (name.islower() or name.istitle()))


def _of_list(values: list, tools: Tools) -> list[Expected] | None:
    """Return the expected calls of a list: of calls, of texts with calls, of a message's parts, or of messages."""
    own = [one for one in values if not (isinstance(one, dict) and _role(one) in OTHERS)]
    if len(own) < len(values) and not own:
        raise _unreadable(values)
    found = [_of_item(one, tools) for one in own]
    read = [calls for calls in found if calls is not None]
    if len(read) < len(found):
        if read or not all(isinstance(one, str) for one in own):
            raise _unreadable(values)
        return None
    return [call for calls in read for call in calls]


def _of_item(one: Any, tools: Tools) -> list[Expected] | None:
    if isinstance(one, list):
        raise ValueError("ground_truth is a list of lists: which calls are expected of one answer is not known")
    if isinstance(one, dict):
        return _of_mapping(one, tools)
    return _of_text(one, tools) if isinstance(one, str) else None


def _of_any(value: Any, tools: Tools) -> list[Expected]:
    """Return the expected calls of what a mapping holds them in; null holds none."""
    if value is None or value == "":
        return []
    found = _of_text(value, tools) if isinstance(value, str) else None
    if isinstance(value, list | dict):
        found = _of_list(value, tools) if isinstance(value, list) else _of_mapping(value, tools)
    if found is None:
        raise _unreadable(value)
    return found


def _of_mapping(one: dict, tools: Tools) -> list[Expected]:
    """Return the expected calls of a mapping: a call, some by their names (BFCL), a message or what else holds some."""
    if one and all(name in tools.checkers and isinstance(given, dict) for name, given in one.items()):
        return [_by_name(name, given) for name, given in one.items()]
    if _role(one) is not None:
        return _of_message(one, tools)
    held = [key for key in HOLDERS if key in one]
    if held:
        return _of_holders(one, held, tools)
    listed = [key for key in LISTS if isinstance(one.get(key), list | dict | str)]
    if len(listed) == 1 and not isinstance(one.get("name"), str):
        return _of_any(one[listed[0]], tools)
    if one.get("type") in PARTS or (isinstance(one.get("text"), str) and not one.keys() - {"text", *BESIDE}):
        text = one.get("text")
        return (_of_text(text, tools) or []) if isinstance(text, str) and text.strip() else []
    return [_of_call(one, tools)]


def _role(one: dict) -> str | None:
    """Return who speaks in a message (OpenAI's key, or ShareGPT's), or None of what is no message."""
    for key, content in (("role", ("content", "parts", *HOLDERS)), ("from", ("value",))):
        if isinstance(one.get(key), str) and any(inside in one for inside in content):
            return one[key].lower()
    return None


def _of_message(one: dict, tools: Tools) -> list[Expected]:
    """Return the calls of a message of an assistant; [] where it answers without one."""
    if _role(one) not in MINE:
        raise _unreadable(one)
    found = _of_holders(one, [key for key in HOLDERS if key in one], tools)
    if found:
        return found
    inside = next((one[key] for key in ("content", "parts", "value") if one.get(key) is not None), "")
    if isinstance(inside, str):
        found = _of_text(inside, tools) if inside.strip() else []
        if not found and _role(one) in ("function_call", "tool_call"):
            raise _unreadable(one)
        return found or []
    return _of_any(inside, tools)


def _of_holders(one: dict, held: list[str], tools: Tools) -> list[Expected]:
    """Return the calls below the keys that are there; only one of them may have any."""
    found = [calls for calls in (_of_any(one[key], tools) for key in held) if calls]
    if len(found) > 1:
        raise _unreadable(one)
    return found[0] if found else []


def _by_name(name: str, given: dict) -> Expected:
    return Expected(name, given, bool(given) and all(isinstance(options, list) for options in given.values()))


def _of_call(one: dict, tools: Tools) -> Expected:
    """Return the call that a mapping is, with a name and arguments."""
    if isinstance(one.get("function"), dict):
        return _of_call(one["function"], tools)
    name_key = next((key for key in NAMES if isinstance(one.get(key), str)), None)
    key = next((key for key in ARGUMENTS if key in one), None)
    others = one.keys() - BESIDE - {name_key, key}
    if not name_key or (others and key != "arguments") or _is_schema(one.get(key)):
        raise _unreadable(one)
    name = one[name_key]
    if name not in tools.checkers and name.removeprefix("functions.") in tools.checkers:
        name = name.removeprefix("functions.")
    return _as_expected(read_call({"name": name, "arguments": one.get(key)}))


def _is_schema(arguments: Any) -> bool:
    """Return whether these are the schema of a function's arguments, not arguments."""
    return isinstance(arguments, dict) and arguments.get("type") == "object" and "properties" in arguments


def _unreadable(value: Any) -> ValueError:
    return ValueError(f"{UNREADABLE}: {str(value)[:60]!r}")


def _as_expected(call: Call) -> Expected:
    if call.wrong:
        raise ValueError(f"ground_truth: a call that can't be read: {call.wrong}")
    return Expected(call.name, call.arguments)


def _typed(call: Expected, tools: Tools) -> dict[str, Any]:
    """Return the arguments of an expected call, with numbers and truth values in place of their texts."""
    schemas = tools.properties[call.name]
    if call.accepted:
        return {key: [_as_typed(one, schemas.get(key)) for one in value] for key, value in call.arguments.items()}
    return {key: _as_typed(value, schemas.get(key)) for key, value in call.arguments.items()}


def _as_typed(value: Any, schema: Any) -> Any:
    kind = schema.get("type") if isinstance(schema, dict) else None
    if not isinstance(value, str) or not isinstance(kind, str) or kind not in ("integer", "number", "boolean"):
        return value
    try:
        read = read_json(value.strip().lower())
    except (ValueError, RecursionError):
        return value
    return read if isinstance(read, bool) == (kind == "boolean") and isinstance(read, int | float) else value
