"""The files by which a run and the workers of its shards talk: in a folder of the store, on a disk that all see.

    work/shards/
      run                      the run, its current folder, how many shards it has, whether it has ended, and a count
                               that goes up
      I/sign                   who works as shard I, and a count that goes up
      I/RUN-NUMBER.call        a call for shard I to make, which stays until its answer is there
      I/RUN-NUMBER.failed      why a worker could not make it

The answer of a call is in the file that the call names. Every file is written under another name and renamed, so a
reader finds it whole. No time is written, and none of a file is looked at: clocks of machines differ.

A folder or a file that is a link, or that another user owns or may write to, is refused.
"""

import errno
import os
import re
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from curate.spread.task_calls import encoded, write_file
from schemas.errors import UserError
from schemas.version import VERSION

Kind = TypeVar("Kind")
SHARDS, RUN, SIGN = "shards", "run", "sign"
CALL, FAILED = "call", "failed"
MOST = 2**26  # bytes of a file
MOST_FILES = 1_000_000  # files that are looked at in the folder
EVERY = 5.0  # seconds between two signs
GONE = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)  # of a file that was there, too, on a network drive
NAME = re.compile(r"([0-9a-f]{16})-([0-9]{8})\.(call|failed)")


@dataclass(frozen=True)
class RunSign:
    """The sign of a run: its id, and the facts that its workers need.

    Attributes:
        run: Its id.
        shards: How many shards it has.
        versions: Of what must be the same everywhere, as other versions may write other bytes.
        ended: Whether it has ended.
        count: Goes up while it is there.
        folder: Its current folder, which relative paths of sources begin at.
    """

    run: str
    shards: int
    versions: str
    ended: bool = False
    count: int = 0
    folder: str = ""


@dataclass(frozen=True)
class ShardSign:
    """The sign of a shard's worker: the run it works for, its machine and process; ``count`` goes up while it lives."""

    run: str
    host: str
    process: int
    count: int = 0


@dataclass(frozen=True)
class ShardFailure:
    """Why a worker could not make a call."""

    reason: str


def shards_folder(store: Path) -> Path:
    """Return the folder of a store's shards."""
    return store / "work" / SHARDS


def call_name(run: str, number: int, kind: str) -> str:
    """Return the name of the file of a call (``CALL``), or of that which says that it failed (``FAILED``)."""
    return f"{run}-{number:08d}.{kind}"


def versions_here() -> str:
    """Return the versions that must be the same everywhere, as text."""
    return f"gristmill {VERSION}, polars {version('polars')}"


def check_own(*folders: Path) -> bool:
    """Return whether folders are there.

    Raises:
        UserError: One is no folder, or a link, or another user owns it or may write to it.
    """
    for folder in folders:
        try:
            held = folder.lstat()
        except OSError as error:
            if error.errno in GONE:
                return False
            raise
        if not stat.S_ISDIR(held.st_mode):
            raise UserError(f"{folder}: expected a folder, found {'a link' if folder.is_symlink() else 'a file'}")
        _check_owner(folder, held)
    return True


def put(path: Path, value: Any) -> None:
    """Write a value as a file; again, where somebody has cleared the folder meanwhile."""
    try:
        write_file(path, encoded(value))
    except FileNotFoundError:
        write_file(path, encoded(value))


def look(path: Path, kind: type[Kind]) -> Kind | None:
    """Return the value in a file, None where there is none.

    Raises:
        UserError: It is no file of ours, or it does not hold such a value.
    """
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno in GONE:
            return None
        if error.errno == errno.ELOOP:
            raise UserError(f"{path}: is a link; expected a file that a run wrote") from None
        raise
    with open(number, "rb") as file:
        held = os.fstat(number)
        if not stat.S_ISREG(held.st_mode):
            raise UserError(f"{path}: is no file; expected one that a run wrote")
        _check_owner(path, held)
        try:
            body = file.read(MOST + 1)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise
    if len(body) > MOST:
        raise UserError(f"{path}: has more than {MOST:,} bytes; expected a file that a run wrote")
    try:
        return msgspec.msgpack.decode(body, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise UserError(f"{path}: is damaged, or no file that a run wrote ({error}); remove it") from None


def posted(folder: Path, run: str) -> list[int]:
    """Return the numbers of the calls of a run that are in the folder, in order.

    Raises:
        UserError: There are more files in it than a run writes.
    """
    numbers = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for seen, entry in enumerate(entries):
            if seen == MOST_FILES:
                raise UserError(f"{folder}: has more than {MOST_FILES:,} files; expected those of one run; remove it")
            found = NAME.fullmatch(entry.name)
            if found and found[1] == run and found[3] == CALL:
                numbers.append(int(found[2]))
    return sorted(numbers)


def clear(folder: Path) -> None:
    """Remove the calls of all runs, what workers said of them, and parts of files that killed processes left."""
    for shard in (folder, *(one for one in folder.iterdir() if one.name.isdigit() and check_own(one))):
        for entry in list(os.scandir(shard)):
            if entry.name.startswith(".") or NAME.fullmatch(entry.name):
                with suppress(OSError):
                    os.unlink(entry.path)


@contextmanager
def signing(path: Path, sign: Callable[[int], Any]) -> Generator[None]:
    """Write a sign while the body of a ``with`` runs, with a count that goes up: by a thread, now and at times.

    A disk that is full is the business of who writes more than signs.
    """
    ended = threading.Event()

    def write() -> None:
        count = 0
        while True:
            with suppress(OSError):
                put(path, sign(count))
            count += 1
            if ended.wait(EVERY):
                return

    thread = threading.Thread(target=write, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _check_owner(path: Path, held: os.stat_result) -> None:
    if held.st_uid != os.geteuid():
        raise UserError(
            f"{path}: belongs to user {held.st_uid}, and this is user {os.geteuid()}; a shard works for its own user "
            "only, root too: run both as the same one"
        )
    if held.st_mode & stat.S_IWOTH:
        raise UserError(f"{path}: every user may write to it; take that right away: chmod o-w {path}")
