"""Writes a folder whole or not at all: into a temporary one beside it, which takes its name at the end."""

import contextlib
import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

from schemas.errors import UserError


@contextlib.contextmanager
def new_folder(target: Path) -> Generator[Path]:
    """Yield an empty folder that becomes ``target`` when the block ends, and is removed when it raises.

    What killed processes left beside it is removed first.

    Args:
        target: The folder to make; it may be there if it is empty.

    Raises:
        UserError: The folder holds something, is a file, or its parent cannot be made.
    """
    check_new(target)
    target = target.absolute()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target)
        partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
    except OSError as error:
        raise UserError(f"{target} cannot be made: {error.strerror}: {error.filename}") from error
    try:
        yield partial
        if target.is_dir():
            target.rmdir()  # empty, or this is an error: nothing of another's is replaced
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new(target: Path) -> None:
    """Raise ``UserError`` where a folder is there that is not empty, or a file has its name."""
    if target.is_dir() and any(target.iterdir()):
        raise UserError(f"{target} is there and not empty; name a new folder, or remove it")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target} is a file; name a new folder")


def check_space(folder: Path, needed: int) -> None:
    """Raise ``UserError`` where the disk of a folder (which need not be there yet) has fewer free bytes than needed."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UserError(f"{there} has {free / 1e6:,.1f} MB free; the export needs {needed / 1e6:,.1f} MB")


def _sweep(target: Path) -> None:
    """Remove the temporary folders of processes that are no more."""
    for left in target.parent.glob(f".{_escaped(target.name)}.*.partial"):
        found = re.fullmatch(r"\.(\d+)\.partial", left.name[len(target.name) + 1 :])
        if found and not _runs(int(found[1])):
            shutil.rmtree(left, ignore_errors=True)


def _escaped(name: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", name)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
