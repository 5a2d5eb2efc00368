"""Ids are hashes of content: the same row has the same id in every run, on every machine."""

import hashlib
import json


def content_id(prefix: str, *parts: str | int | float | None) -> str:
    """Return ``prefix_`` and 20 hex digits (80 bits) of the SHA-256 of ``parts``.

    Parts are framed as JSON, so ``("ab", "c")`` and ``("a", "bc")`` differ, and so do ``None`` and ``""``.
    """
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return f"{prefix}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:20]}"


def fingerprint(value: object) -> str:
    """Return 32 hex digits of the SHA-256 of a JSON-able value, independent of the order of its keys."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
