"""Functions for tests to spread."""

import os
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from curate.spread.task_calls import write_file


@dataclass(frozen=True)
class Number:
    number: int


@dataclass(frozen=True)
class Counted:
    """A number, and a folder that gets a file each time the task is done."""

    number: int
    folder: str


@dataclass(frozen=True)
class Slow:
    """A number, and the seconds that the task takes."""

    number: int
    seconds: float


@dataclass(frozen=True)
class Done:
    """A number, and the process that did the task."""

    number: int
    process: int


def slow(task: Slow) -> Done:
    time.sleep(task.seconds)
    return Done(task.number, os.getpid())


def doubled(task: Number) -> Number:
    return Number(2 * task.number)


def counted(task: Counted) -> Number:
    (Path(task.folder) / f"{task.number}-{uuid.uuid4()}").touch()
    return Number(task.number)


def written(task: Counted) -> Number:
    """Write a file in pieces, so that there is time to be killed."""
    made = []
    for piece in range(4):
        made.append(f"{task.number}: {piece}\n" * 500)
        time.sleep(0.004)
    write_file(Path(task.folder) / f"{task.number}.txt", "".join(made).encode())
    return Number(task.number)


def refused(task: Number) -> Number:
    if task.number == 3:
        raise ValueError(f"{task.number} is refused")
    return task


def only_there(task: Number) -> Number:
    """Fail in a thread, as on a machine that lacks something."""
    if threading.current_thread() is not threading.main_thread():
        raise OSError("no such folder here")
    return task


def evens(task: Number) -> Number:
    if task.number % 2 and "ray" in sys.modules:
        raise ValueError("odd")
    return task
