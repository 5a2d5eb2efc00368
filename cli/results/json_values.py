"""The values of a result as JSON, whatever they are: lists, structs and maps, with dates, bytes and JSON in them."""

import json
import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cli.results.cells import blob_text
from cli.terminal import json_text, safe_json

if TYPE_CHECKING:
    from duckdb.sqltypes import DuckDBPyType

Writer = Callable[[Any], str]  # returns a value as JSON, on one line
NESTED = ("list", "array", "struct", "tuple", "map", "union")
NUMBERS = ("float", "double", "tinyint", "smallint", "integer", "bigint", "boolean")
# What DuckDB takes for a number in JSON, and JSON has not; a string that holds such a word is passed over.
NO_NUMBER = re.compile(r'"(?:[^"\\]|\\.)*"|-?\b(?:nan|inf(?:inity)?)\b', re.IGNORECASE)


class NoNumbers:
    """Writes null for the numbers that JSON has not, NaN and the infinite ones, and counts them.

    Attributes:
        count: How many there were.
    """

    def __init__(self) -> None:
        """Begin at none."""
        self.count = 0

    def __call__(self, _: float | str) -> str:
        """Return the JSON that stands for such a number."""
        self.count += 1
        return "null"

    def sentence(self) -> str:
        """Return what is to be said of them; empty if there were none."""
        numbers = "1 number is" if self.count == 1 else f"{self.count:,} numbers are"
        return f"{numbers} NaN or infinite, which JSON has not; null is written instead" if self.count else ""


def json_writer(kind: "DuckDBPyType", no_number: Callable[[float | str], str]) -> Writer:
    """Return what writes the values of a column as JSON.

    Args:
        kind: The column's type. What is of the type JSON, also within lists and structs, is JSON already.
        no_number: Returns what to write for a number that JSON has not.
    """
    written = _writer(kind, no_number)
    return lambda value: "null" if value is None else written(value)


def _writer(kind: "DuckDBPyType", no_number: Callable[[float | str], str]) -> Writer:
    if str(kind) == "JSON":
        return lambda text: _same_json(text, no_number)
    if kind.id in ("list", "array"):
        ((_, one),) = _parts(kind)
        return _list_writer(json_writer(one, no_number), are_numbers=one.id in NUMBERS)
    if kind.id == "struct":
        fields = [(name, json_text(name), json_writer(child, no_number)) for name, child in _parts(kind)]
        return lambda value: f"{{{', '.join(f'{key}: {write(value[name])}' for name, key, write in fields)}}}"
    if kind.id == "tuple":
        writers = [json_writer(child, no_number) for _, child in _parts(kind)]
        return lambda value: f"[{', '.join(write(one) for write, one in zip(writers, value, strict=True))}]"
    if kind.id == "map":
        return _map_writer(kind, no_number)
    return lambda value: _json_of(value, no_number)


def _parts(kind: "DuckDBPyType") -> "list[tuple[str, DuckDBPyType]]":
    """Return the types within a type, with their names; an array's size is none."""
    return [(name, part) for name, part in kind.children if not isinstance(part, int | list)]


def _list_writer(write: Writer, *, are_numbers: bool) -> Writer:
    def written(values: Any) -> str:
        if are_numbers:  # a vector is written at once, which is faster
            try:
                return json.dumps(values, allow_nan=False)
            except ValueError:
                pass
        return f"[{', '.join(map(write, values))}]"

    return written


def _map_writer(kind: "DuckDBPyType", no_number: Callable[[float | str], str]) -> Writer:
    """Return what writes a map as an object, whose keys are texts: ``1`` is ``"1"``."""
    (_, keys), (_, values) = _parts(kind)
    key, value = json_writer(keys, lambda number: json_text(str(number))), json_writer(values, no_number)
    apart = keys.id in NESTED  # DuckDB gives such keys beside the values: Python has no dict of them

    def written(found: Any) -> str:
        pairs = zip(found["key"], found["value"], strict=True) if apart else found.items()
        return f"{{{', '.join(f'{_as_text(key(one))}: {value(other)}' for one, other in pairs)}}}"

    return written


def _as_text(written: str) -> str:
    return written if written.startswith('"') else json_text(written)


def _json_of(value: Any, no_number: Callable[[float | str], str]) -> str:
    """Return a value as JSON by what it is in Python: a scalar, or the value of a union."""
    if isinstance(value, float):
        return json.dumps(value) if math.isfinite(value) else no_number(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, bytes):
        return json_text(blob_text(value))
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json_text(str(key))}: {_json_of(one, no_number)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_json_of(one, no_number) for one in value)}]"
    return json_text(value if value is None or isinstance(value, str | int) else str(value))


def _same_json(text: str, no_number: Callable[[float | str], str]) -> str:
    """Return JSON on one line: there are line ends between its parts only, in a text they are escaped."""
    lowered = text.lower()
    if "nan" in lowered or "inf" in lowered:
        text = NO_NUMBER.sub(lambda found: found[0] if found[0].startswith('"') else no_number(found[0]), text)
    return safe_json(text.replace("\n", " ").replace("\r", " "))
