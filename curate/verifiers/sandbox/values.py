"""Encode Python values as JSON messages between processes that do not trust each other. Stdlib only; runs inside.

Plain values (None, numbers, texts, the containers of builtins and collections) are sent by value and decode to exactly
the builtin type, whatever subclass they were. Any other object is sent as a reference, ``{"object": number}``: its
owner keeps it, and the other side returns it as ``{"yours": number}``. A frame is four bytes of length, then JSON in
ASCII.
"""

import builtins
import collections
import datetime
import fractions
import json
import math
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

MAX_FRAME = 8 << 20  # bytes of a frame
MAX_JOB = 1 << 30  # bytes of a frame from the parent
EXACT = 1 << 53  # JSON readers may round whole numbers from here on
MAPPINGS = {"counter": collections.Counter, "ordered": collections.OrderedDict, "dict": dict}
LISTS = {"set": set, "frozenset": frozenset, "deque": collections.deque, "tuple": tuple}
TYPES = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
# Modules that a test may use, by names that the response has imported; in the order in which a name is looked up.
LIBRARY = (
    "math",
    "cmath",
    "collections",
    "itertools",
    "functools",
    "heapq",
    "bisect",
    "typing",
    "string",
    "random",
    "datetime",
    "copy",
    "re",
    "decimal",
    "fractions",
    "statistics",
    "dataclasses",
    "enum",
    "abc",
)
TIMES = {kind.__name__: kind for kind in (datetime.date, datetime.datetime, datetime.time)}


class Gone(BaseException):
    """The other side has ended, or has sent what no honest process sends. ``except Exception`` in a test misses it."""


def pack(message: Any) -> bytes:
    """Return a message as a frame. Raises ``ValueError`` if it is larger than ``MAX_FRAME``."""
    data = json.dumps(message).encode()
    if len(data) > MAX_FRAME:
        raise ValueError(f"a value takes more than {MAX_FRAME >> 20} MB")
    return len(data).to_bytes(4, "big") + data


def send(fd: int, message: Any) -> None:
    """Write a message. Raises ``ValueError`` if it is too large, ``Gone`` if the other side has ended."""
    data = memoryview(pack(message))
    try:
        while data:
            data = data[os.write(fd, data) :]
    except OSError as error:
        raise Gone("the other side has ended") from error


def receive(fd: int, most: int = MAX_FRAME) -> Any:
    """Read a message of up to ``most`` bytes. Raises ``Gone`` at the end of the stream, and for anything else."""
    size = int.from_bytes(_read(fd, 4), "big")
    if size > most:
        raise Gone(f"a message of {size} bytes")
    try:
        return json.loads(_read(fd, size))
    except (ValueError, RecursionError) as error:
        raise Gone("a message that is not JSON") from error


def _read(fd: int, size: int) -> bytes:
    parts = []
    while size:
        try:
            part = os.read(fd, min(size, 1 << 20))
        except OSError:
            part = b""
        if not part:
            raise Gone("the other side has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def encode(value: Any, refer: Callable[[Any], dict[str, Any]]) -> Any:
    """Return a value as JSON; ``refer`` returns the reference to an object that is not plain."""
    if value is None or value is True or value is False:
        return value
    # The base types' own methods are called: a subclass may override them.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -EXACT < number < EXACT else {"int": hex(number)}
    if isinstance(value, float):
        number = float.__float__(value)
        return number if math.isfinite(number) else {"float": repr(number)}
    if isinstance(value, list):
        return [encode(item, refer) for item in list.__iter__(value)]
    if isinstance(value, tuple):
        return _tuple(value, refer)
    return _other(value, refer)


def _tuple(value: tuple, refer: Callable) -> dict[str, Any]:
    items = [encode(item, refer) for item in tuple.__iter__(value)]
    fields = getattr(type(value), "_fields", None)
    if isinstance(fields, tuple) and all(isinstance(f, str) for f in fields) and len(fields) == len(items):
        return {"named": [type(value).__name__, list(fields), items]}
    return {"tuple": items}


def _other(value: Any, refer: Callable) -> dict[str, Any]:
    if isinstance(value, dict):
        tag = next(tag for tag, kind in MAPPINGS.items() if isinstance(value, kind))
        return {tag: [[encode(k, refer), encode(v, refer)] for k, v in dict.items(value)]}
    for tag, kind in LISTS.items():
        if isinstance(value, kind):
            return {tag: [encode(item, refer) for item in kind.__iter__(value)]}
    if isinstance(value, bytes | bytearray):
        return {"bytearray" if isinstance(value, bytearray) else "bytes": value.hex()}
    if isinstance(value, complex):
        return {"complex": [encode(value.real, refer), encode(value.imag, refer)]}
    if type(value) is range:
        return {"range": [encode(n, refer) for n in (value.start, value.stop, value.step)]}
    return _rare(value, refer) or refer(value)


def _rare(value: Any, refer: Callable) -> dict[str, Any] | None:
    """Return a plain value of a rare type as JSON; None for any other value."""
    if type(value) is slice:
        return {"slice": [encode(n, refer) for n in (value.start, value.stop, value.step)]}
    if type(value) is fractions.Fraction:
        return {"fraction": [encode(value.numerator, refer), encode(value.denominator, refer)]}
    if type(value) is Decimal:
        return {"decimal": str(value)}
    if type(value) is datetime.timedelta:
        return {"timedelta": [value.days, value.seconds, value.microseconds]}
    if type(value) in TIMES.values():
        return {type(value).__name__: value.isoformat()}
    if type(value) is type and TYPES.get(value.__name__) is value:
        return {"type": value.__name__}
    return None


def decode(data: Any, resolve: Callable[[dict[str, Any]], Any]) -> Any:
    """Return the value that JSON encodes. Raises ``Gone`` for JSON that encodes none.

    ``resolve`` returns the object that a reference stands for.
    """
    if isinstance(data, list):
        return [decode(item, resolve) for item in data]
    if not isinstance(data, dict):
        return data
    if "object" in data or "yours" in data:
        return resolve(data)
    try:
        ((tag, held),) = data.items()
        return _decoded(tag, held, resolve)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, SyntaxError) as error:
        raise Gone(f"not an encoded value: {str(error)[:100]}") from error


def _decoded(tag: str, held: Any, resolve: Callable) -> Any:
    if tag == "named":
        name, fields, items = held
        return collections.namedtuple(name, fields)(*decode(items, resolve))  # noqa: PYI024 (made at run time)
    if tag in MAPPINGS:
        return MAPPINGS[tag]({decode(k, resolve): decode(v, resolve) for k, v in held})
    if tag in LISTS:
        return LISTS[tag](decode(item, resolve) for item in held)
    if tag in ("complex", "range", "fraction", "slice", "timedelta"):
        kind = {
            "complex": complex,
            "range": range,
            "fraction": fractions.Fraction,
            "slice": slice,
            "timedelta": datetime.timedelta,
        }[tag]
        return kind(*decode(held, resolve))
    if tag in ("bytes", "bytearray"):
        return {"bytes": bytes, "bytearray": bytearray}[tag].fromhex(held)
    if tag in TIMES:
        return TIMES[tag].fromisoformat(held)
    if tag == "type":
        return TYPES[held]
    return {"int": lambda text: int(text, 16), "float": float, "decimal": Decimal}[tag](held)


def error_line(error: BaseException) -> str:
    """Return an exception as one line: its class and its message, at most 200 characters."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # its __str__ may be the response's code
        text = ""
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
