"""Whether the calls of a candidate are those that are expected."""

import json
from typing import Any

from curate.score._call_reading import Call, Tools
from curate.score._expected_calls import Expected

OPTIONAL = ""  # among the accepted values of an argument: it may be left out


def matched(calls: list[Call], expected: list[Expected], tools: Tools) -> tuple[list[int], list[int]]:
    """Return the indices of the calls and of the expected ones that have no partner, in the largest matching.

    Each call has at most one partner; their order does not matter. The matching is found by augmenting paths.
    """
    fits = [[_is_expected(call, one, tools) for one in expected] for call in calls]
    partner: dict[int, int] = {}  # expected -> call

    def place(call: int, seen: set[int]) -> bool:
        for other in range(len(expected)):
            if fits[call][other] and other not in seen:
                seen.add(other)
                if other not in partner or place(partner[other], seen):
                    partner[other] = call
                    return True
        return False

    alone = [call for call in range(len(calls)) if not place(call, set())]
    return alone, [other for other in range(len(expected)) if other not in partner]


def shown(name: str, arguments: dict[str, Any]) -> str:
    """Return a text that is the same for calls with equal values."""
    return f"{name}({json.dumps(whole_numbers(arguments), sort_keys=True, ensure_ascii=False)})"


def _is_expected(call: Call, expected: Expected, tools: Tools) -> bool:
    if call.name != expected.name:
        return False
    if expected.accepted:
        return _accepts(expected.arguments, call.arguments)
    if _same(call.arguments, expected.arguments):
        return True
    defaults = {
        key: schema["default"]
        for key, schema in tools.properties.get(call.name, {}).items()
        if isinstance(schema, dict) and "default" in schema
    }
    return bool(defaults) and _same(defaults | call.arguments, defaults | expected.arguments)


def _accepts(options: dict[str, Any], arguments: dict[str, Any]) -> bool:
    """Return whether each argument has one of its accepted values, and those left out may be."""
    if arguments.keys() - options.keys():
        return False
    return all(
        any(_is_option(option, arguments[key]) for option in accepted) if key in arguments else OPTIONAL in accepted
        for key, accepted in options.items()
    )


def _is_option(option: Any, value: Any) -> bool:
    """Return whether a value is one accepted; mappings hold accepted values in their turn."""
    if isinstance(option, list) and isinstance(value, list):
        return len(option) == len(value) and all(map(_is_option, option, value))
    if isinstance(option, dict) and isinstance(value, dict) and all(isinstance(one, list) for one in option.values()):
        return _accepts(option, value)
    return _same(option, value)


def _same(one: Any, other: Any) -> bool:
    return json.dumps(whole_numbers(one), sort_keys=True) == json.dumps(whole_numbers(other), sort_keys=True)


def whole_numbers(value: Any) -> Any:
    """Return a JSON value with floats that are whole, such as 1.0, as integers."""
    if isinstance(value, dict):
        return {key: whole_numbers(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [whole_numbers(inside) for inside in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
