"""Strategies that change real inputs: texts, bytes and JSON values, each by a few small operations.

An operation is three numbers: which kind, where, and with what. So an example is small, and Hypothesis shrinks
it to few operations near the start.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import strategies as st

NUMBERS = st.integers(0, 1 << 16)
OPERATIONS = st.lists(st.tuples(st.integers(0, 63), NUMBERS, NUMBERS), min_size=1, max_size=6)
TOKENS = (
    "",
    " ",
    "\n",
    "\t",
    ":",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "'",
    '"',
    ",",
    "|",
    ">",
    "&a ",
    "*a",
    "<<: *a",
    "!!python/object:os.x ",
    "!!set ",
    "? ",
    "#",
    "%",
    "@",
    "`",
    "null",
    "true",
    "~",
    "0",
    "-1",
    "1e999",
    ".nan",
    ".inf",
    "0x7fffffffffffffff",
    "1" * 30,
    "1" * 5000,
    "2020-01-01",
    "12:30:45",
    "${a}",
    "${",
    "$${",
    "{{ x }}",
    "{% if %}",
    "\x00",
    "\x1b[2J",
    "\u202e",
    "\ufeff",
    "\u2028",
    "é",
    "字",
    "\U0001f600",
    "a" * 3000,
    "../..",
    "/etc/passwd",
    "--",
    ";",
    "\\",
    "\\ud800",
    "=1+1",
    "[/]",
    "<think>",
    "</s>",
    "((a+)+)+$",
    "NaN",
    "e" * 40,
    "\r\n",
    "\x85",
    "...",
    "---",
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63 - 1,
    2**63,
    2**64,
    10**30,
    -(10**400),
    0.5,
    -0.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "\n",
    "a",
    "\x00",
    "\x1b]0;x\x07",
    "\u202e",
    "é",
    "字",
    "\ud800",
    "\U0001f600",
    "a" * 3000,
    "1",
    "1e999",
    "true",
    "null",
    "[]",
    "{}",
    '{"a": 1}',
    "${a}",
    "../x",
    "c_1",
    "user",
    "assistant",
    "<think>x</think>y",
    [],
    [[]],
    {},
    [None],
    [1, "a", None],
    {"a": None},
    {"": 1},
    {"role": "user", "content": "hi"},
    [{"role": "assistant", "content": None}],
    [{"role": "tool"}],
    {"type": "text", "text": 1},
    {"a": {"a": {"a": {}}}},
    "9" * 5000,
    b"bytes".decode(),
    "((a+)+)+$",
)


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def texts(seeds: Sequence[str], tokens: Sequence[str] = TOKENS) -> st.SearchStrategy[str]:
    """Return the seeds as texts, each changed by a few operations."""
    return st.builds(
        lambda seed, ops: _apply(ops, seed, lambda t, o: _change_text(t, o, tokens)), st.sampled_from(seeds), OPERATIONS
    )


def blobs(seeds: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Return the seeds as bytes: bits flipped, cut, emptied, a part repeated, zeroed or taken out."""
    return st.builds(lambda seed, ops: _apply(ops, seed, change_bytes), st.sampled_from(seeds), OPERATIONS)


def values(seeds: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Return the seeds as JSON values, in which a few parts are replaced, removed, repeated, moved or wrapped."""
    return st.builds(
        lambda seed, ops: _apply(ops, copy.deepcopy(seed), change_value), st.sampled_from(seeds), OPERATIONS
    )


def _apply(
    operations: list[tuple[int, int, int]], seed: Any, change: Callable[[Any, tuple[int, int, int]], Any]
) -> Any:
    for operation in operations:
        seed = change(seed, operation)
    return seed


def _change_text(text: str, operation: tuple[int, int, int], tokens: Sequence[str]) -> str:
    kind, where, what = operation
    at, token = where % (len(text) + 1), tokens[what % len(tokens)]
    if kind % 8 < 3:  # at a line: removed, repeated elsewhere, or swapped with another
        lines = text.split("\n")
        one, other = where % len(lines), what % len(lines)
        if kind % 8 == 0:
            del lines[one]
        elif kind % 8 == 1:
            lines.insert(other, lines[one])
        else:
            lines[one], lines[other] = lines[other], lines[one]
        return "\n".join(lines)
    if kind % 8 == 3:
        return text[:at] + text[at + what % 20 :]
    if kind % 8 == 4:
        return text[:at] + token + text[at:]
    if kind % 8 == 5:  # a word replaced
        end = at
        while end < len(text) and (text[end].isalnum() or text[end] in "_.-"):
            end += 1
        while at > 0 and (text[at - 1].isalnum() or text[at - 1] in "_.-"):
            at -= 1
        return text[:at] + token + text[end:]
    if kind % 8 == 6:  # what follows a colon
        found = [place for place, c in enumerate(text) if c == ":"]
        at = found[where % len(found)] + 1 if found else at
        end = text.find("\n", at)
        return f"{text[:at]} {token}{text[end:] if end >= 0 else ''}"
    return text[:at] if kind < 16 else text[:at] + token * 200 + text[at:] if len(token) < 10 else text + token


def change_bytes(data: bytes, operation: tuple[int, int, int]) -> bytes:
    """Return bytes changed by one operation."""
    kind, where, what = operation
    at = where % (len(data) + 1) if kind % 2 else len(data) - where % (min(len(data), 64) + 1)  # or near the end
    match kind // 2 % 8:
        case 0:
            return data[:at]
        case 1:
            return data[:at] + data[at + what % 64 :]
        case 2:
            return data[:at] + bytes(what % 64) + data[at + what % 64 :]
        case 3:
            return data[:at] + data[at // 2 : at // 2 + what % 200] + data[at:]
        case 4 | 5:
            return data[:at] + bytes([data[at] ^ (1 << what % 8)]) + data[at + 1 :] if at < len(data) else data
        case 6:
            return data[:at] + what.to_bytes(4, "little") + data[at + 4 :]
        case _:
            return b"" if what % 4 == 0 else data[:at] + TOKENS[what % len(TOKENS)].encode() + data[at:]


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """Return each (list or mapping, key) in a value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(items)[:200]:
        found.append((value, key))
        _places(one, found)
    return found


def change_value(value: Any, operation: tuple[int, int, int]) -> Any:
    """Return a JSON value changed by one operation."""
    kind, where, what = operation
    places = _places(value, [])
    odd = _deep(30 + what % 3000) if kind == 63 else copy.deepcopy(VALUES[what % len(VALUES)])
    if not places:
        return odd
    (held, key), (from_held, from_key) = places[where % len(places)], places[what % len(places)]
    match kind % 6:
        case 0 | 1:
            held[key] = odd
        case 2:
            del held[key]
        case 3:
            with suppress(RecursionError):  # what an operation before this one nested deep
                held[key] = copy.deepcopy(from_held[from_key])
        case 4 if isinstance(held, dict):
            held[TOKENS[what % len(TOKENS)]] = held.pop(key)
        case 4:
            held.append(copy.deepcopy(held[key]))
        case _:
            held[key] = [held[key]] if kind % 2 else {"content": held[key]}
    return value
