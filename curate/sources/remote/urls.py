"""URLs as names of sources: whether a text is one, and how it is shown."""

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit


def is_url(path: Path | str) -> bool:
    """Return whether a source is named by a URL of the web."""
    return isinstance(path, str) and path.lower().startswith(("https://", "http://"))


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it: its user and password, its query and its fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:  # as of http://[
        return f"{url.partition('://')[0]}://..."
    query = "..." if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))


def without_secrets(value: Any) -> Any:
    """Return a copy of a recipe's plain values, with each URL of the web as ``shown_url`` shows it."""
    if isinstance(value, dict):
        return {key: without_secrets(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return shown_url(value) if isinstance(value, str) and is_url(value) else value
