"""Read the tools of a prompt, the calls of a candidate and the calls that a ground truth expects."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from curate.algorithms.text.written_lists import written_value
from curate.score.json_schema import Checker, checker, read_json
from schemas.call_forms import CLOSE, OPEN, pythonic_calls
from schemas.call_text import has_mark, split_tool_calls, written_badly
from schemas.reasoning import split_reasoning
from schemas.tool_calls import ARGUMENTS

WRAPPERS = ("tool_calls", "function_call", "functionCall", "ground_truth", "answers")  # what holds the expected calls
CALL_KEYS = {"name", "tool_name", "id", "call_id", "type", "index", *ARGUMENTS}
PYTHONIC = re.compile(r"\s*\[?\s*([A-Za-z_][\w.]*)\s*\(")


class Call(NamedTuple):
    """A call of a function; ``wrong`` says why it can't be read, or is None."""

    name: str
    arguments: dict[str, Any]
    wrong: str | None = None


class Expected(NamedTuple):
    """A call that is expected; ``accepted`` says whether each argument is the list of its accepted values (BFCL)."""

    name: str
    arguments: dict[str, Any]
    accepted: bool = False


class Tools(NamedTuple):
    """The functions of a prompt: the schema of each one's arguments as a checker, and its properties."""

    checkers: dict[str, Checker]
    properties: dict[str, dict[str, Any]]


@lru_cache(maxsize=512)
def read_tools(tools: str) -> Tools:
    """Return the tools of a JSON text. Raises ``ValueError`` if there is no list of tools."""
    try:
        listed = read_json(tools)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tools: not JSON: {error}") from None
    made = Tools({}, {})
    for tool in listed if isinstance(listed, list) else [listed]:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ValueError(f"tools: expected functions with a name and parameters, found {json.dumps(tool)[:60]}")
        name, schema = function["name"], function.get("parameters")
        try:
            made.checkers[name] = checker(json.dumps({} if schema is None else schema))
        except ValueError as error:
            raise ValueError(f"tools: the parameters of {name[:60]!r} are no JSON Schema: {error}") from None
        properties = schema.get("properties") if isinstance(schema, dict) else None
        made.properties[name] = properties if isinstance(properties, dict) else {}
    if not made.checkers:
        raise ValueError("no tools")
    return made


def calls_of_turns(completion: str, tools: Tools) -> list[Call]:
    """Return all calls in the candidate's turns. Raises ``ValueError`` if these are no turns."""
    try:
        turns = read_json(completion)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"completion: not JSON: {error}") from None
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise ValueError(f"completion: expected a list of turns, found {completion[:60]!r}")
    calls = []
    for turn in turns:
        if turn.get("role") == "assistant":
            given = turn.get("tool_calls")
            calls += map(read_call, given if isinstance(given, list) else [])
            calls += calls_of_text(turn.get("content"), tools)
    return calls


def calls_of_text(text: Any, tools: Tools) -> list[Call]:
    """Return the calls that a text holds, in the forms of ``schemas.call_forms``, after its trace."""
    if not isinstance(text, str) or not text:
        return []
    text = split_reasoning(text)[1]
    if OPEN not in text:
        return _of_other_forms(text, tools.properties)
    calls = []
    for piece in text.split(OPEN)[1:]:
        inside, closed, _ = piece.partition(CLOSE)
        if closed and not inside.lstrip().startswith(("{", "[")):
            calls += _of_other_forms(OPEN + piece, tools.properties) or [Call("", {}, f"not JSON: {inside[:60]!r}")]
            continue
        try:
            calls.append(read_call(read_json(inside)) if closed else Call("", {}, f"no {CLOSE}"))
        except (ValueError, RecursionError) as error:
            calls.append(Call("", {}, f"not JSON: {error}"))
    return calls


def _of_other_forms(text: str, properties: Mapping[str, Mapping[str, Any]], *, literals: bool = False) -> list[Call]:
    calls, rest = split_tool_calls(text, properties, literals=literals)
    read = [read_call(call) for call in calls]
    broken = written_badly(rest, properties) if has_mark(rest) else None
    return [*read, Call("", {}, f"its text is no call: {broken[:60]!r}")] if broken else read


def read_call(given: Any) -> Call:
    """Return a call given in OpenAI's form, or as name and arguments; arguments are an object or its JSON text."""
    function = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        return Call("", {}, f"no name in {json.dumps(given, ensure_ascii=False)[:60]}")
    arguments = next((function[key] for key in ARGUMENTS if function.get(key) is not None), None)
    if isinstance(arguments, str):
        try:
            arguments = read_json(arguments) if arguments.strip() else {}
        except (ValueError, RecursionError) as error:
            return Call(function["name"], {}, f"arguments of {function['name'][:60]!r}: {error}")
    if arguments is None:
        arguments = {}
    if not isinstance(arguments, dict):
        return Call(function["name"], {}, f"arguments of {function['name'][:60]!r} are no object")
    return Call(function["name"], arguments)


def expected_calls(truth: str | None, tools: Tools) -> list[Expected] | None:
    """Return the calls that a ground truth expects, or None if it is anything but calls.

    It may hold them as JSON: name and arguments, OpenAI's or Anthropic's form, a message with ``tool_calls``, BFCL's
    ``{name: {argument: [accepted values]}}``, or a list of these; or as text in a form of ``schemas.call_forms``, or as
    Python writes calls (``[weather(city="Paris")]``: ToolACE). A text for a number or truth value becomes one.

    Raises:
        ValueError: If it holds calls that can't be read, or a call of a function that is not among the tools.
    """
    if truth is None or not truth.strip():
        return None
    value = written_value(truth)
    if isinstance(value, str) and value.strip():  # JSON text of JSON text
        truth, value = value, written_value(value)
    found = _of_value(value, tools) if isinstance(value, dict | list) else _of_truth_text(truth, tools)
    if found is None:
        return None
    for call in found:
        if call.name not in tools.checkers:
            raise ValueError(f"ground_truth calls {call.name[:60]!r}, which is not among the tools")
    return [call._replace(arguments=_typed(call, tools)) for call in found]


def _of_truth_text(truth: str, tools: Tools) -> list[Expected] | None:
    named = PYTHONIC.match(truth)
    if named and named[1] in tools.checkers:
        try:
            return [Expected(call["name"], call["arguments"]) for call in pythonic_calls(truth)]
        except (ValueError, RecursionError) as error:
            raise ValueError(f"ground_truth: calls that can't be read: {error}") from None
    calls = _of_other_forms(truth, tools.properties, literals=True)
    return [_as_expected(call) for call in calls] or None


def _of_value(value: Any, tools: Tools) -> list[Expected] | None:
    """Return the expected calls of a parsed ground truth; None where it is something else."""
    if isinstance(value, dict):
        for key in WRAPPERS:
            if isinstance(value.get(key), list | dict) and (key.startswith(("tool", "func")) or len(value) < 3):
                return _of_value(value[key], tools)
    found: list[Expected] = []
    for one in value if isinstance(value, list) else [value]:
        calls = _of_item(one, tools)
        if calls is None:
            return None
        found += calls
    return found


def _of_item(one: Any, tools: Tools) -> list[Expected] | None:
    if isinstance(one, str):
        return _of_truth_text(one, tools) if one.strip() else None
    if not isinstance(one, dict):
        return None
    if isinstance(one.get("tool_calls"), list) or isinstance(one.get("function_call"), dict):
        return _of_value(one, tools)
    named = isinstance(one.get("name"), str) and len(one.keys() & set(ARGUMENTS)) > 0 and not one.keys() - CALL_KEYS
    if named or "function" in one or "arguments" in one:
        return [_as_expected(read_call(one))]
    if one and all(name in tools.checkers and isinstance(given, dict) for name, given in one.items()):
        return [
            Expected(name, given, bool(given) and all(isinstance(options, list) for options in given.values()))
            for name, given in one.items()
        ]
    return None


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
