"""Parses JSON as servers write it: half of a surrogate pair or a number of any length costs itself, not the rest."""

import json
from typing import Any

LONGEST_NUMBER = 1000  # digits; Python refuses to read numbers of a few thousand
UNPARSED = (ValueError, RecursionError)


def parse(raw: bytes | str) -> Any:
    r"""Return the value of a JSON text.

    Half of a surrogate pair (``\ud83d`` alone, or its three bytes) is no character and becomes U+FFFD. A whole number
    of more digits than Python reads stays text.

    Raises:
        ValueError: It is no JSON, or not UTF-8; ``RecursionError``: it is nested too deeply.
    """
    text = whole(raw) if isinstance(raw, str) else decoded(raw)
    if "\\ud" in text or "\\uD" in text:
        # Python's decoder joins the two halves of a pair and keeps a half that is alone.
        text = whole(json.dumps(_parse(text), ensure_ascii=False))
    return _parse(text)


def decoded(raw: bytes) -> str:
    """Return bytes as text. Raises ``UnicodeDecodeError`` where they are neither UTF-8 nor halves of pairs in it."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return whole(raw.decode("utf-8", "surrogatepass"))


def whole(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair, which is no character."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _parse(text: str) -> Any:
    return json.loads(text, parse_int=_integer)


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits
