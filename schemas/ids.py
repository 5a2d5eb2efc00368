"""Make ids and fingerprints as hashes of content: the same row has the same id in every run, on every machine."""

import hashlib
import json
from collections.abc import Iterable

import msgspec

# Made once: json.dumps makes a new encoder for every call that names its separators.
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_encode = msgspec.json.Encoder().encode
_as_sorted_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def content_id(prefix: str, *parts: str | int | float | None) -> str:
    """Return ``prefix_`` and 20 hex digits (80 bits) of the SHA-256 of ``parts``.

    Parts are framed as JSON, so ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``None`` and ``""``.
    """
    framed = b""
    if float not in map(type, parts):  # msgspec writes texts as Python does, faster, and large numbers otherwise
        try:
            framed = _encode(parts)
        except (UnicodeEncodeError, TypeError):  # half of a surrogate pair; a kind of text, such as NumPy's
            pass
    framed = framed or _as_json(parts).encode("utf-8", "surrogatepass")
    return f"{prefix}_{hashlib.sha256(framed).hexdigest()[:20]}"


def content_ids(prefix: str, rows: Iterable[tuple[str | int | None, ...]]) -> list[str]:
    """Return ``content_id(prefix, *row)`` of each row; the texts have no half of a surrogate pair."""
    digits = b"".join([hashlib.sha256(_encode(row)).digest() for row in rows]).hex()
    return [f"{prefix}_{digits[at : at + 20]}" for at in range(0, len(digits), 64)]


def fingerprint(value: object) -> str:
    """Return 32 hex digits of the SHA-256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(_as_sorted_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]
