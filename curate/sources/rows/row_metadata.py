"""The metadata of a row: every key that was not read, as one JSON text; no value makes a row unreadable."""

import base64
import hashlib
import math
from collections.abc import Mapping
from typing import Any

from schemas.errors import BadRow, short_repr
from schemas.json_text import blank, dump, parse

WHOLE = 1_000  # bytes of a value that are kept whole; of a longer one, its length and its hash are kept


def row_metadata(rest: dict[str, Any], extra: dict[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Return ``metadata`` and every key that was not read as one JSON text, or ``None`` where there are none.

    Where a key stands in the row and in its ``metadata`` with two values, both are kept: the row's as ``row_KEY``. A
    value that JSON does not have is kept in another form: bytes as base64 or as their length and hash, an infinite
    number as text, half of a surrogate pair as ``?``.

    Returns:
        The text, and the keys whose value was changed or renamed.
    """
    if not rest and not extra:
        return None, ()
    merged, changed = _given(rest.pop("metadata", None)), []
    for source in (extra, rest):
        for key, value in source.items():
            name = str(key)
            if name in merged and merged[name] != value:
                while name in merged:
                    name = f"row_{name}"
                changed.append(f"{key} (as {name})")
            merged[name] = value
    if not merged:
        return None, tuple(changed)
    try:
        return dump(merged, "metadata"), tuple(changed)
    except BadRow:
        pass
    for key, value in merged.items():
        try:
            dump({key: value}, "metadata")
        except BadRow:
            changed.append(str(key))
    return dump(_plain(merged), "metadata"), tuple(_plain(name) for name in changed)


def _given(value: Any) -> dict[str, Any]:
    """Return a row's ``metadata`` as a mapping; what is not one, nor one as JSON text, is kept under ``metadata``."""
    if isinstance(value, str):
        if blank(value):
            return {}
        try:
            parsed = parse(value)
        except ValueError:
            parsed = None
        value = parsed if isinstance(parsed, dict) else value
    if isinstance(value, dict):
        return {str(key): one for key, one in value.items()}
    return {} if value is None else {"metadata": value}


def _plain(value: Any, depth: int = 0) -> Any:
    """Return a value with the parts that JSON does not have in another form."""
    if depth > 100:
        return short_repr(value)
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, depth + 1) for one in value]
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        if len(value) <= WHOLE:
            return {"base64": base64.b64encode(value).decode()}
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    try:
        dump(value, "value")
    except BadRow:
        return short_repr(value)
    return value
