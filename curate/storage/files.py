"""Write files whole, hash them, and name them: helpers for all that the store keeps on disk."""

import hashlib
import os
from pathlib import Path

from schemas.errors import Failed


def write_whole(path: Path, text: str) -> None:
    """Write a text file so that a reader finds either the old content or the new one, never a part of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def file_hash(path: Path) -> str:
    """Return 20 hex digits of the SHA-256 of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:20]


def slug(text: str) -> str:
    """Return a text as a file name of at most 60 characters: letters, digits, dots, underscores and dashes."""
    return "".join(c if c.isalnum() or c in ".-_" else "-" for c in text).strip("-.")[:60] or "stage"


def disk_failed(folder: Path, error: OSError) -> Failed:
    """Return the error to raise where a file could not be written to a folder."""
    return Failed(f"{folder}: cannot write: {error.strerror or error}; finished work is kept")
