"""Keep sandboxes that are started ahead of the programs that will run in them."""

import contextlib
import socket
import threading
from collections.abc import Generator

from curate.verifiers.sandbox.sandbox import Sandbox


class Cancelled(Exception):
    """The run is being stopped: no further program is run."""


class Spares:
    """The spare sandboxes of one thread: a response's alone, or a response's and a checker's joined by a socket.

    Each is used once. Once ``stopping`` is set, no more are given out.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self.ready: dict[bool, tuple[Sandbox, ...]] = {}  # key: whether there is a checker
        self.running: tuple[Sandbox, ...] = ()

    @contextlib.contextmanager
    def take(self, checker: bool) -> Generator[tuple[Sandbox, ...]]:
        """Give out sandboxes for one program, and end them with the block. Raises ``Cancelled`` if stopped."""
        sandboxes = self.ready.pop(checker, ())
        if not sandboxes or not all(one.running for one in sandboxes):
            _end(sandboxes)
            sandboxes = _start(checker)
        self.running = sandboxes
        try:
            if self.stopping.is_set():
                raise Cancelled
            yield sandboxes
        finally:
            self.running = ()
            _end(sandboxes)

    def refill(self, checker: bool) -> None:
        """Start the sandboxes for the next program of the same kind."""
        if checker not in self.ready and not self.stopping.is_set():
            self.ready[checker] = _start(checker)

    def interrupt(self) -> None:
        """Kill the program that runs now. Another thread calls this."""
        for one in self.running:
            one.terminate()

    def close(self) -> None:
        """End the sandboxes that were not used."""
        for sandboxes in self.ready.values():
            _end(sandboxes)
        self.ready.clear()


def _start(checker: bool) -> tuple[Sandbox, ...]:
    if not checker:
        return (Sandbox("response"),)
    response_end, checker_end = socket.socketpair()
    with response_end, checker_end:
        return Sandbox("response", response_end), Sandbox("checker", checker_end)


def _end(sandboxes: tuple[Sandbox, ...]) -> None:
    for one in sandboxes:
        one.terminate()  # all of them, before the wait for any
    for one in sandboxes:
        one.kill()
