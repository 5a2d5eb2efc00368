"""Make ids and fingerprints as hashes of content: the same row has the same id in every run, on every machine."""

import hashlib
import json
from json.encoder import encode_basestring as _as_json_text

# Made once: json.dumps makes a new encoder for every call that names its separators.
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_as_sorted_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def content_id(prefix: str, *parts: str | int | float | None) -> str:
    """Return ``prefix_`` and 20 hex digits (80 bits) of the SHA-256 of ``parts``.

    Parts are framed as JSON, so ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``None`` and ``""``.
    """
    # A text's JSON by itself is made faster than a list's, whose encoder Python makes anew each time.
    texts = [_as_json_text(part) if type(part) is str else _as_json_value(part) for part in parts]
    framed = f"[{','.join(texts)}]".encode("utf-8", "surrogatepass")
    return f"{prefix}_{hashlib.sha256(framed).hexdigest()[:20]}"


def _as_json_value(value: str | float | None) -> str:
    if value is None:
        return "null"
    return str(value) if type(value) is int else _as_json(value)


def fingerprint(value: object) -> str:
    """Return 32 hex digits of the SHA-256 of a JSON-able value, whatever the order of its keys."""
    return hashlib.sha256(_as_sorted_json(value).encode("utf-8", "surrogatepass")).hexdigest()[:32]
