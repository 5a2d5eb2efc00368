"""Write files whole, make them durable, hash them, and name them: helpers for all that the store keeps on disk."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import Failed

AT_ONCE = 8  # a disk commits the syncs that come at the same time together


def write_whole(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a text file so that a reader finds either the old content or the new one, never a part of it.

    Args:
        path: The file.
        text: Its new content.
        durable: Whether the new content is there after a power cut too. If not, the old one may be there, whole.
    """
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        sync(temporary)  # else a power cut after the rename leaves an empty file
    if durable:
        sync(path.parent)


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Yield another name to write a file under; it gets its own after the body, or is removed where the body raises.

    So a reader finds it whole, also where other processes or machines write it at the same time.
    """
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Wait until the disk has the content of a file, or the names in a folder."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def sync_all(paths: Iterable[Path]) -> None:
    """Wait until the disk has the content of files and the names in folders, in any order."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(sync, paths))


def sync_tree(folder: Path) -> None:
    """Wait until the disk has a folder with all that is in it."""
    sync_all([folder, *(path for path in folder.rglob("*") if not path.is_symlink())])


def link(file: Path, target: Path) -> None:
    """Give a file a second name; where the disk knows no second names, copy it."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


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
