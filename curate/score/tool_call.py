"""1.0 where the response's tool calls are valid: readable, of functions that exist, with fitting, expected arguments.

The calls are those in the candidate's turns (``tool_calls``, in OpenAI's form), and those in their text between
<tool_call> tags (as Hermes and Qwen write them), after any reasoning. ``tools`` is a list of functions, each with a
JSON Schema. ``ground_truth`` may hold the expected calls as JSON: {"name", "arguments"}, OpenAI's form, a list of
either, or [] for no call. Their order does not matter, and 1 equals 1.0. If it holds no calls, the other checks remain,
and there has to be a call.

With ``partial: true`` the value is the mean of four shares (three if no calls are expected): of calls that can be read,
whose function exists, whose arguments fit, and that are expected. A call where none is expected is 0.0 in any case.
"""

import json
from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple

import polars as pl

from curate.score.json_schema import Checker, checker, read_json
from schemas.reasoning import split_reasoning

OPEN, CLOSE = "<tool_call>", "</tool_call>"
SHOWN = 5  # failures in ``detail``


class Call(NamedTuple):
    """A call of a function; ``wrong`` says why it can't be read, or is None."""

    name: str
    arguments: dict[str, Any]
    wrong: str | None = None


def score(
    response: pl.Series, completion: pl.Series, tools: pl.Series, ground_truth: pl.Series, *, partial: bool = False
) -> pl.DataFrame:
    """Return ``value`` (0 to 1, null without tools), ``detail`` (JSON: calls, shares, what is wrong) and ``error``.

    Args:
        response: The candidates' texts.
        completion: Their turns, as JSON text, or null.
        tools: The prompts' tools, as JSON text.
        ground_truth: The expected calls, or anything else.
        partial: Whether the value is the mean of the shares, or 1.0 if all of them are 1.
    """
    columns = (series.cast(pl.String) for series in (response, completion, tools, ground_truth))
    found = [_score(*row, partial) for row in zip(*columns, strict=True)]
    return pl.DataFrame(found, {"value": pl.Float64, "detail": pl.String, "error": pl.String}, orient="row")


def _score(
    text: str | None, completion: str | None, tools: str | None, truth: str | None, partial: bool
) -> tuple[float | None, str | None, str | None]:
    if tools is None:
        return None, None, "no tools"
    if text is None and completion is None:
        return None, None, "no response"
    try:
        functions = _functions(tools)
        calls = _written(text) if completion is None else _of_turns(completion)
        expected = _expected(truth)
        shares, wrong = _check(calls, functions, expected)
    except (ValueError, RecursionError) as error:
        return None, None, str(error)
    value = sum(shares.values()) / len(shares) if partial else float(all(share == 1 for share in shares.values()))
    if expected == [] and calls:
        value = 0.0
    detail = {"calls": len(calls), **shares} | ({"wrong": wrong[:SHOWN]} if wrong else {})
    return value, json.dumps(detail, ensure_ascii=False), None


def _check(
    calls: list[Call], functions: dict[str, Checker], expected: list[Call] | None
) -> tuple[dict[str, float], list[str]]:
    """Return the share of calls that pass each check, and what is wrong with the others."""
    right, wrong = Counter(), []
    for call in calls:
        if call.wrong:
            wrong.append(f"a call that can't be read: {call.wrong}")
            continue
        right["read"] += 1
        if call.name not in functions:
            wrong.append(f"no function {call.name[:60]!r}")
            continue
        right["exist"] += 1
        misfit = functions[call.name].violations(call.arguments)
        right["fit"] += not misfit
        wrong += [f"{call.name}: {at and at + ': '}{what}" for at, what in misfit]
    if expected is None or expected:
        shares = {name: right[name] / len(calls) if calls else 0.0 for name in ("read", "exist", "fit")}
        if not calls:
            wrong.append("no call")
    else:
        shares = {}
    if expected is not None:
        made = Counter(_key(call) for call in calls if not call.wrong)
        due = Counter(map(_key, expected))
        most = max(len(calls), len(expected))
        shares["match"] = (made & due).total() / most if most else 1.0
        wrong += [f"expected {key[:120]}" for key in (due - made).elements()] if calls else []
        wrong += [f"not expected: {key[:120]}" for key in (made - due).elements()]
    return shares, wrong


def _key(call: Call) -> str:
    """Return a text that is the same for calls with equal values."""
    return f"{call.name}({json.dumps(_whole_numbers(call.arguments), sort_keys=True, ensure_ascii=False)})"


def _whole_numbers(value: Any) -> Any:
    """Return a JSON value with floats that are whole, such as 1.0, as integers."""
    if isinstance(value, dict):
        return {key: _whole_numbers(inside) for key, inside in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(inside) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@lru_cache(maxsize=512)
def _functions(tools: str) -> dict[str, Checker]:
    """Return each tool's name and the schema of its arguments. Raises ``ValueError`` if there is no list of tools."""
    try:
        listed = read_json(tools)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"tools: not JSON: {error}") from None
    made = {}
    for tool in listed if isinstance(listed, list) else [listed]:
        function = tool.get("function", tool) if isinstance(tool, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ValueError(f"tools: expected functions with a name and parameters, found {json.dumps(tool)[:60]}")
        name, schema = function["name"], function.get("parameters")
        try:
            made[name] = checker(json.dumps({} if schema is None else schema))
        except ValueError as error:
            raise ValueError(f"tools: the parameters of {name[:60]!r} are no JSON Schema: {error}") from None
    if not made:
        raise ValueError("no tools")
    return made


def _of_turns(completion: str) -> list[Call]:
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
            calls += map(_call, given if isinstance(given, list) else [])
            calls += _written(turn.get("content"))
    return calls


def _written(text: Any) -> list[Call]:
    """Return the calls that a text holds between tags."""
    if not isinstance(text, str) or OPEN not in text:
        return []
    calls = []
    for piece in split_reasoning(text)[1].split(OPEN)[1:]:
        inside, closed, _ = piece.partition(CLOSE)
        try:
            calls.append(_call(read_json(inside)) if closed else Call("", {}, f"no {CLOSE}"))
        except (ValueError, RecursionError) as error:
            calls.append(Call("", {}, f"not JSON: {error}"))
    return calls


def _call(given: Any) -> Call:
    """Return a call given in OpenAI's form, or as name and arguments; arguments are an object or its JSON text."""
    function = given.get("function", given) if isinstance(given, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str) or not function["name"]:
        return Call("", {}, f"no name in {json.dumps(given, ensure_ascii=False)[:60]}")
    arguments = function.get("arguments")
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


def _expected(truth: str | None) -> list[Call] | None:
    """Return the calls that a ground truth expects, or None if it is anything else."""
    if truth is None:
        return None
    if OPEN in truth:
        calls = _written(truth)
        return None if any(call.wrong for call in calls) else calls
    try:
        given = read_json(truth)
    except (ValueError, RecursionError):
        return None
    if isinstance(given, dict) and isinstance(given.get("tool_calls"), list):
        given = given["tool_calls"]
    calls = []
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, dict) or not ("arguments" in one or "function" in one):
            return None
        calls.append(_call(one))
    return None if any(call.wrong for call in calls) else calls
