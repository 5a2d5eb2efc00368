"""Functions for tests to spread."""

import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path


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
