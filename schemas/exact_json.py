"""Read JSON text and note where it cannot be written again as it was: other digits, or a key that stands twice."""

import json
from typing import Any

import msgspec

from schemas.errors import BadRow
from schemas.json_text import dump, parse


class Rewritten(dict):
    """A mapping whose JSON text, written again, has other digits (``1.10``, ``1e5``, NaN) or fewer keys."""


def parse_noting(text: str) -> Any:
    r"""Return the value of JSON text; mappings that are not written again as they were are ``Rewritten``.

    White space and escapes (``\u00e9``) do not count.

    Raises:
        ValueError: The text is not JSON.
    """
    value = parse(text)
    if not isinstance(value, dict | list) or _is_written_again(value, text):
        return value
    noting = _Noting()
    decoder = json.JSONDecoder(
        parse_float=noting.read_float,
        parse_int=noting.read_int,
        parse_constant=noting.read_constant,
        object_pairs_hook=noting.read_mapping,
    )
    try:
        return decoder.decode(text)
    except RecursionError:
        return value


def _is_written_again(value: Any, text: str) -> bool:
    """Return whether a value is written as its text, but for white space; an escaped letter counts here."""
    try:
        # Several times as fast as ``dump``, and the same but for small numbers and for the form of an exponent.
        again = dump(value, "") if ".000" in text else msgspec.json.encode(value).decode()
    except (BadRow, UnicodeError, OverflowError, RecursionError):
        return False
    return again.replace(" ", "") == text.replace(" ", "") or "".join(again.split()) == "".join(text.split())


class _Noting:
    """The hooks of a JSON decoder. ``changed`` is whether a number was read that is written otherwise."""

    def __init__(self) -> None:
        self.changed = False

    def read_float(self, digits: str) -> float:
        value = float(digits)
        self.changed = self.changed or repr(value) != digits
        return value

    def read_int(self, digits: str) -> int | str:
        value = int(digits) if len(digits) < 1000 else digits
        self.changed = self.changed or str(value) != digits or isinstance(value, str)
        return value

    def read_constant(self, name: str) -> float | None:
        self.changed = True
        return None if name == "NaN" else float(name)

    def read_mapping(self, pairs: list[tuple[str, Any]]) -> dict:
        """Return a mapping; ``Rewritten`` where it, or one in it, is not written as it was."""
        value = dict(pairs)
        if not (self.changed or len(value) < len(pairs) or any(map(_holds_rewritten, value.values()))):
            return value
        self.changed = False
        return Rewritten(value)


def _holds_rewritten(value: Any) -> bool:
    """Return whether a value is a rewritten mapping, or a list that holds one."""
    return isinstance(value, Rewritten) or (isinstance(value, list) and any(map(_holds_rewritten, value)))
