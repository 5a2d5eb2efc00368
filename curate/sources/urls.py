"""URLs as names of sources: whether a text is one, and how it is shown."""

from pathlib import Path
from urllib.parse import urlsplit, urlunsplit


def is_url(path: Path | str) -> bool:
    """Return whether a source is named by a URL of the web."""
    return isinstance(path, str) and path.lower().startswith(("https://", "http://"))


def shown_url(url: str) -> str:
    """Return a URL without what may be secret in it: its user and password, its query and its fragment."""
    parts = urlsplit(url)
    query = "..." if parts.query else ""
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, query, ""))
