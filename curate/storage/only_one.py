"""A file that only one process at a time holds."""

import fcntl
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import UserError


@contextmanager
def only_one(path: Path, busy: str) -> Generator[None]:
    """Hold a file in the body of a ``with``; the kernel lets go of it when the process ends, however it ends.

    Args:
        path: The file, which is made and stays.
        busy: What to say where another process holds it.

    Raises:
        UserError: Another process holds it.
    """
    with open(path, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(busy) from None
        yield
