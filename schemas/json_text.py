"""Read and write JSON text; an error names the value that has no JSON."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from schemas.errors import BadRow, kind_of, short_repr


def parse(text: str) -> Any:
    """Return the value of JSON text. NaN, which Python's writers leave for a missing number, is read as null.

    An infinite number is read as one, and a whole number of thousands of digits as a text: what needs a number there
    says so, and what does not may keep it.

    Raises:
        json.JSONDecodeError: The text is not JSON.
        ValueError: It has lists nested too deeply.
    """
    try:
        return msgspec.json.decode(
            text
        )  # three times as fast as the standard library, and the same but for what is odd
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # Python's limit on the digits of a whole number
        return json.JSONDecoder(parse_constant=_parse_constant, parse_int=_parse_int).decode(text)
    except RecursionError:
        raise ValueError("lists or mappings are nested too deeply") from None


def _parse_constant(name: str) -> float | None:
    """Return ``None`` for NaN, else the infinite number."""
    return None if name == "NaN" else float(name)


def _parse_int(digits: str) -> int | str:
    return int(digits) if len(digits) < 1000 else digits


def _encode_other(value: Any) -> str:
    """Return a date, a time or a decimal as text; raise ``TypeError`` for other types that JSON does not have."""
    if isinstance(value, date | datetime | time | timedelta | Decimal):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


_DECODER = json.JSONDecoder(parse_constant=_parse_constant)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_encode_other)


def dump(value: Any, key: str) -> str:
    """Return compact JSON text of ``value``. Dates and decimals become text.

    Raises:
        BadRow: ``value`` has a part that JSON does not have; the message names the value as ``key``.
    """
    try:
        return encodable(_ENCODER.encode(value), key)
    except RecursionError:
        raise BadRow(f"{key!r} is nested too deeply") from None
    except TypeError as error:
        raise BadRow(f"{key!r} holds {error}; expected text, numbers, lists or mappings") from None
    except BadRow:
        raise
    except ValueError:
        raise BadRow(f"{key!r} holds an infinite number; expected a finite one") from None


def encodable(text: str, key: str) -> str:
    r"""Return ``text``; raise ``BadRow`` where it holds half of a surrogate pair (``"\ud83d"`` in JSON)."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            found = f"\\u{ord(text[error.start]):04x}"
            raise BadRow(f"{key!r} holds {found}, half of a surrogate pair, which is no character") from None
    return text


def read_list(value: Any, key: str) -> list:
    """Return ``value`` as a list; it is one, or one as JSON text (as in CSV and in the store). Else a ``BadRow``."""
    items = value
    if isinstance(value, str):
        try:
            items = parse(value)
        except ValueError:
            pass
    if not isinstance(items, list):
        shown = f" (or a list as JSON text), found {short_repr(value)}" if isinstance(value, str) else ""
        raise BadRow(f"{key!r} is {kind_of(value)}; expected a list{shown}")
    return items


def blank(text: str) -> bool:
    """Return whether a text is empty or has white space only."""
    return not text or text.isspace()
