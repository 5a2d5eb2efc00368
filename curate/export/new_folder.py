"""Writes a folder whole or not at all: into a temporary one, which takes its name at the end."""

import contextlib
import os
import re
import shutil
from collections.abc import Generator
from pathlib import Path

from schemas.errors import UserError

OLD = ".old.partial"  # the end of the name of a folder that is being replaced


@contextlib.contextmanager
def new_folder(target: Path, *, replace: bool = False) -> Generator[Path]:
    """Yield an empty folder that becomes ``target`` when the block ends, and is removed when it raises.

    It is made beside ``target``, or in it where that is there already: an empty folder may be a mount or a person's
    current folder, which cannot be replaced, or the only one they may write. What killed processes left is removed
    first.

    Args:
        target: The folder to make; it may be there if it is empty. A link's target is made in its place.
        replace: Whether a folder that is there is replaced at the end, with all that it holds.

    Raises:
        UserError: The folder holds something, is a file, or cannot be made or written.
    """
    if not replace:
        check_new(target)
    target = target.absolute()
    target = target.resolve() if target.is_symlink() else target
    there = target.is_dir() and not replace
    partial = (target if there else target.parent) / f".{target.name}.{os.getpid()}.partial"
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        for left in _left(partial.parent, target.name):
            if not left.name.endswith(OLD) or target.exists():  # else a kill came between two names: it is all there is
                shutil.rmtree(left, ignore_errors=True)
        partial.mkdir()
    except OSError as error:
        raise UserError(f"{target} cannot be made: {error.strerror}: {error.filename}") from error
    try:
        yield partial
        if not replace:
            check_new(target)  # nothing that another has made meanwhile is replaced
        if there:
            for file in list(partial.iterdir()):
                file.rename(target / file.name)
        elif target.is_dir():
            _swap(partial, target)
        else:
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _swap(partial: Path, target: Path) -> None:
    """Put a folder in the place of another, which is put back where that fails and removed where it does not."""
    old = partial.with_suffix(OLD)
    target.rename(old)
    try:
        partial.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def check_new(target: Path) -> None:
    """Raise ``UserError`` where a folder is there that is not empty, or a file has its name."""
    if target.is_dir():
        try:
            ours = _left(target, target.resolve().name)
            if any(file not in ours for file in target.iterdir()):
                raise UserError(f"{target} is there and not empty; name a new folder, or remove it")
        except OSError as error:
            raise UserError(f"{target} cannot be read: {error.strerror}") from error
    elif target.exists():
        raise UserError(f"{target} is a file; name a new folder")


def check_space(folder: Path, needed: int) -> None:
    """Raise ``UserError`` where a folder, which need not be there yet, can't be made, or its disk lacks free bytes."""
    there = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{folder} cannot be made: {there} is {'not writable' if there.is_dir() else 'a file'}")
    free = shutil.disk_usage(there).free
    if free < needed:
        raise UserError(f"{there} has {free / 1e6:,.1f} MB free; the export needs {needed / 1e6:,.1f} MB")


def _left(folder: Path, name: str) -> list[Path]:
    """Return the temporary folders in a folder that processes which are no more have made for a target's name."""
    found = []
    for left in folder.glob(f".{_escaped(name)}.*.partial"):
        process = re.fullmatch(r"\.(\d+)(\.old)?\.partial", left.name[len(name) + 1 :])
        if process and (int(process[1]) == os.getpid() or not _runs(int(process[1]))):
            found.append(left)
    return found


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
