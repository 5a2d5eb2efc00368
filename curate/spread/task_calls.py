"""A call of a function for one task: as plain values, so that any process can make it, and its answer in a file.

A function belongs to a module; its task and its result are dataclasses of plain values, which travel as
MessagePack. What is large goes through files that the task names. An answer that is kept in a file is written after all
that the function wrote, and holds a hash of the call: where it is whole and of this call, the task is done.
"""

import hashlib
import importlib
import os
import secrets
import typing
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

HASH = 32  # bytes before a kept answer


@dataclass(frozen=True)
class Call:
    """A call of a function.

    Attributes:
        function: ``module:name``.
        task: The task as MessagePack.
        kept: The file that keeps the answer; empty for none.
    """

    function: str
    task: bytes
    kept: str = ""


def call_of(function: Callable[[Any], Any], task: Any, kept: Path | None = None) -> Call:
    """Return the call of a function of a module for a task.

    Raises:
        UnicodeEncodeError: MessagePack does not hold the task, such as a path that is no UTF-8.
    """
    name = f"{function.__module__}:{getattr(function, '__qualname__', '')}"
    return Call(name, msgspec.msgpack.encode(task), str(kept or ""))


def make(call: Call) -> bytes:
    """Call the function, keep the answer if the call says so, and return it as MessagePack.

    It imports the module that the call names: a call from elsewhere than this process must be looked at before.

    Raises:
        Exception: As the function raises it.
    """
    module, _, name = call.function.partition(":")
    function = getattr(importlib.import_module(module), name)
    hints = typing.get_type_hints(function)
    hints.pop("return")
    answer = encoded(function(decoded(call.task, next(iter(hints.values())))))
    keep(call, answer)
    return answer


def keep(call: Call, answer: bytes) -> None:
    """Write an answer into the file that keeps it, whole or not at all."""
    if not call.kept:
        return
    write_file(Path(call.kept), _hash(call, answer) + answer)


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, also where other machines write it at the same time, and wait for the disk."""
    temporary = path.with_name(f".{path.name}.{os.uname().nodename}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def kept_answer(call: Call) -> bytes | None:
    """Return the answer of a call that was made before, or None: for none, a part of one, and that of another call."""
    with suppress(OSError):
        content = Path(call.kept).read_bytes() if call.kept else b""
        if content[:HASH] == _hash(call, content[HASH:]):
            return content[HASH:]
    return None


def result_type(function: Callable[[Any], Any]) -> Any:
    """Return the type of a function's result, from its annotation."""
    return typing.get_type_hints(function)["return"]


def encoded(value: Any) -> bytes:
    """Return a value as MessagePack."""
    return msgspec.msgpack.encode(value)


def decoded(body: bytes | msgspec.Raw, kind: Any) -> Any:
    """Return a value from MessagePack."""
    return msgspec.msgpack.decode(body, type=kind, dec_hook=_counter)


def _hash(call: Call, answer: bytes) -> bytes:
    parts = (call.function.encode(), call.task, answer)
    return hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts)).digest()


def _counter(kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is not Counter:
        raise NotImplementedError(f"{kind} does not go to a worker")
    (key,) = typing.get_args(kind)
    return Counter({msgspec.convert(one, key): count for one, count in value.items()})
