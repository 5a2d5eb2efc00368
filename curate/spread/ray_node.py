"""A call on a worker of Ray, on a machine that has the same gristmill and folder as the process that asks."""

import hashlib
import importlib.metadata
import os
from functools import cache
from pathlib import Path

import msgspec

from curate.spread.task_calls import Call, make
from schemas.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


class Made(msgspec.Struct):
    """The outcome of a call on a worker.

    Attributes:
        result: Its answer, or None where it failed.
        error: Why it failed, and where.
        unfit: What the worker's machine lacks for any call, and its name.
    """

    result: bytes | None = None
    error: str = ""
    unfit: str = ""


@cache
def about_here() -> str:
    """Return what must be the same where calls are made, for the same bytes: our version and code, and Polars."""
    code = hashlib.sha256()
    for file in sorted(one for room in ("schemas", "curate") for one in (ROOT / room).rglob("*.py")):
        code.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    return f"gristmill {VERSION} (code {code.hexdigest()[:8]}) with Polars {importlib.metadata.version('polars')}"


def unfit(about: str, folder: str) -> str:
    """Return what this machine lacks to make calls, and its name; empty for nothing.

    Args:
        about: ``about_here`` of the process that asks.
        folder: Its current folder, which relative paths begin at.
    """
    if about_here() != about:
        return f"{os.uname().nodename} has {about_here()}, and this machine {about}: install the same on each"
    try:
        os.chdir(folder)
    except OSError as error:
        return f"{os.uname().nodename} does not have the current folder {folder} ({error.strerror}): share its disk"
    return ""


def made_on_node(call: bytes, about: str, folder: str) -> bytes:
    """Make a call in MessagePack, and return ``Made`` as such."""
    wrong = unfit(about, folder)
    if wrong:
        return msgspec.msgpack.encode(Made(unfit=wrong))
    try:
        return msgspec.msgpack.encode(Made(make(msgspec.msgpack.decode(call, type=Call))))
    except Exception as error:  # the process that asks does the task again, and raises it
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return msgspec.msgpack.encode(Made(error=f"{os.uname().nodename}: {said}"))


class Holder:
    """A worker that stays for many calls, whose functions keep a model in their module meanwhile."""

    def made(self, call: bytes, about: str, folder: str) -> bytes:
        """Make a call as ``made_on_node``."""
        return made_on_node(call, about, folder)
