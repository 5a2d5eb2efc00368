"""SIGTERM, as ``kill`` and schedulers send it, ends a command as Ctrl-C does: its servers end, its run is closed."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from schemas.errors import Terminated


@contextmanager
def sigterm_raises() -> Generator[list[int]]:
    """Raise ``Terminated`` in the body of a ``with`` when SIGTERM comes; a second SIGTERM ends the process at once.

    Yields:
        A list that the signal is put into when it comes: what runs in the body may turn the error into another.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != owner:  # a process that was forked from this one
            os.kill(os.getpid(), signal.SIGTERM)
            return
        came.append(number)
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
