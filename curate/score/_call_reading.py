"""Read the tools of a prompt and the calls of a candidate (``_expected_calls``: those that a ground truth expects)."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from curate.score.json_schema import Checker, checker, read_json
from schemas.answer_text import answer_of
from schemas.call_forms import CLOSE, OPEN
from schemas.call_text import has_mark, split_tool_calls, written_badly
from schemas.tool_calls import ARGUMENTS


class Call(NamedTuple):
    """A call of a function; ``wrong`` says why it can't be read, or is None."""

    name: str
    arguments: dict[str, Any]
    wrong: str | None = None


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
    text = answer_of(text)[1]
    if OPEN not in text:
        return calls_of_forms(text, tools.properties)
    calls = []
    for piece in text.split(OPEN)[1:]:
        inside, closed, _ = piece.partition(CLOSE)
        if closed and not inside.lstrip().startswith(("{", "[")):
            calls += calls_of_forms(OPEN + piece, tools.properties) or [Call("", {}, f"not JSON: {inside[:60]!r}")]
            continue
        try:
            calls.append(read_call(read_json(inside)) if closed else Call("", {}, f"no {CLOSE}"))
        except (ValueError, RecursionError) as error:
            calls.append(Call("", {}, f"not JSON: {error}"))
    return calls


def calls_of_forms(text: str, properties: Mapping[str, Mapping[str, Any]], *, literals: bool = False) -> list[Call]:
    """Return the calls of a text in the forms of ``schemas.call_forms``; the last is one that can't be read, if any."""
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
