"""Functions for tests to spread."""

import sys
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


def doubled(task: Number) -> Number:
    return Number(2 * task.number)


def counted(task: Counted) -> Number:
    (Path(task.folder) / f"{task.number}-{uuid.uuid4()}").touch()
    return Number(task.number)


def evens(task: Number) -> Number:
    if task.number % 2 and "ray" in sys.modules:
        raise ValueError("odd")
    return task
