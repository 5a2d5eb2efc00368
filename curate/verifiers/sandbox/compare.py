"""Compare what a program printed or returned with what its test expects.

A result is compared in its encoded form (``values.py``), guided by the expected value. It is never decoded, since that
may take for ever (a set whose items share one hash, a fraction of two numbers of millions of digits).
"""

import json
import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Any

SHOWN = 60  # characters shown of an expected or found text
MAX_DIGITS = 5000  # of a number; no JSON that Python reads has more
DECIMAL = re.compile(r"[-+]?(?:\d++\.\d*+|\.\d++|\d++(?=e))(?:e[-+]?\d++)?", re.IGNORECASE | re.ASCII)
NUMBER = re.compile(r"[-+]?(?:\d++\.?\d*+|\.\d++)(?:e[-+]?\d++)?", re.IGNORECASE | re.ASCII)
SEQUENCES = ("tuple", "deque")
MAPPINGS = ("dict", "counter", "ordered")


def same_text(found: str, expected: str) -> bool:
    """Return whether two outputs are the same, up to white space and blank lines, and decimals within 1e-6."""
    lines, expected_lines = ([line.split() for line in text.strip().splitlines()] for text in (found, expected))
    lines, expected_lines = ([line for line in text if line] for text in (lines, expected_lines))
    if lines == expected_lines:
        return True
    return [len(line) for line in lines] == [len(line) for line in expected_lines] and all(
        a == b or _near(a, b)
        for one, other in zip(lines, expected_lines, strict=True)
        for a, b in zip(one, other, strict=True)
    )


def _near(found: str, expected: str) -> bool:
    if len(found) > MAX_DIGITS or not DECIMAL.fullmatch(expected) or not NUMBER.fullmatch(found):
        return False
    return math.isclose(float(found), float(expected), rel_tol=1e-6, abs_tol=1e-6)


def same_value(found: Any, expected: Any, wrapped: bool = False) -> bool:
    """Return whether an encoded result equals a JSON value: tuples count as lists, decimals are within 1e-9.

    Args:
        found: The result.
        expected: The value.
        wrapped: Whether the expected value may also stand in a list of one (APPS, TACO).
    """
    return _equal(found, expected) or (
        wrapped and isinstance(expected, list) and len(expected) == 1 and _equal(found, expected[0])
    )


def _equal(found: Any, expected: Any) -> bool:
    if isinstance(expected, list):
        items = _items(found)
        return items is not None and len(items) == len(expected) and all(map(_equal, items, expected))
    if isinstance(expected, dict):
        pairs = _pairs(found)
        return (
            pairs is not None
            and {k for k, _ in pairs} == set(expected)
            and all(_equal(v, expected[k]) for k, v in pairs)
        )
    value = _scalar(found)
    if value is None or isinstance(value, str):
        return value == expected and not isinstance(found, dict | list)
    try:
        if isinstance(expected, float) and isinstance(value, int | float):
            return math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-9)
        return bool(value == expected)
    except ArithmeticError:  # a number too large for a float, a NaN that signals
        return False


def _items(found: Any) -> list[Any] | None:
    """Return the items of an encoded list, tuple, named tuple or deque; None for anything else."""
    if isinstance(found, dict) and len(found) == 1:
        ((tag, held),) = found.items()
        found = (
            held[2]
            if tag == "named" and isinstance(held, list) and len(held) == 3
            else (held if tag in SEQUENCES else None)
        )
    return found if isinstance(found, list) else None


def _pairs(found: Any) -> list[tuple[str, Any]] | None:
    """Return the items of an encoded mapping, its keys as texts; None for anything else."""
    held = next((found[tag] for tag in MAPPINGS if tag in found), None) if isinstance(found, dict) else None
    if not isinstance(held, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in held):
        return None
    try:
        return [(str(_key(key)), value) for key, value in held]
    except ValueError:  # a number of too many digits
        return None


def _key(key: Any) -> Any:
    items = _items(key)
    return _scalar(key) if items is None else tuple(map(_key, items))


def _scalar(found: Any) -> Any:
    """Return an encoded text, number or bool as a Python value; None for None and for anything else."""
    if not isinstance(found, dict):
        return None if isinstance(found, list) else found
    try:
        ((tag, held),) = found.items()
        if tag == "fraction":
            above, below = map(_scalar, held)
            return Fraction(int.__index__(above), int.__index__(below))
        if isinstance(held, str) and len(held) <= MAX_DIGITS and tag in ("int", "float", "decimal"):
            return {"int": lambda text: int(text, 16), "float": float, "decimal": Decimal}[tag](held)
    except (ValueError, TypeError, ArithmeticError):
        pass
    return None


def short(value: Any) -> str:
    """Return a value as a short text."""
    try:
        text = value if isinstance(value, str) else json.dumps(value, default=str)
    except (ValueError, TypeError, RecursionError):  # millions of digits, a cycle, keys that are no texts
        return f"a {type(value).__name__} that is too large to show"
    text = " ".join(text[: SHOWN * 4].split()).encode("utf-8", "replace").decode()
    return f"{text[:SHOWN]}..." if len(text) > SHOWN else text


def shown(found: Any) -> str:
    """Return an encoded result as a short text."""
    return short(_plain(found, 4))


def _plain(found: Any, depth: int) -> Any:
    """Return the beginning of an encoded result as JSON, at most ``depth`` levels deep."""
    if isinstance(found, dict) and len(found) == 1:
        ((tag, held),) = found.items()
        if (pairs := _pairs(found)) is not None:
            return {k: _plain(v, depth - 1) for k, v in pairs[:SHOWN]} if depth else "..."
        if (value := _scalar(found)) is not None:
            return value
        if _items(found) is None:
            return {tag: _plain(held, depth)}
    items = _items(found)
    if items is not None:
        return [_plain(item, depth - 1) for item in items[:SHOWN]] if depth else "..."
    return found
