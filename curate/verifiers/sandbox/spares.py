"""Sandboxes that are started ahead of the programs that will run in them."""

import contextlib
import socket
import threading
from collections.abc import Iterator

from curate.verifiers.sandbox.sandbox import Sandbox


class Cancelled(Exception):
    """Nothing more is to be run."""


class Spares:
    """Sandboxes of one thread, started ahead: a response's alone, or a response's and a checker's, joined.

    Each is used once. Once ``stopping`` is set, there are no more.
    """

    def __init__(self, stopping: threading.Event) -> None:
        self.stopping = stopping
        self.ready: dict[bool, tuple[Sandbox, ...]] = {}  # by whether there is a checker
        self.running: tuple[Sandbox, ...] = ()

    @contextlib.contextmanager
    def take(self, checker: bool) -> Iterator[tuple[Sandbox, ...]]:
        """Sandboxes for one program, ended when the block is. Raises ``Cancelled``."""
        found = self.ready.pop(checker, ())
        if not found or not all(one.kept_ids for one in found):
            _end(found)
            found = _start(checker)
        self.running = found
        try:
            if self.stopping.is_set():
                raise Cancelled
            yield found
        finally:
            self.running = ()
            _end(found)

    def refill(self, checker: bool) -> None:
        """Start what the next program of the same kind will need."""
        if checker not in self.ready and not self.stopping.is_set():
            self.ready[checker] = _start(checker)

    def interrupt(self) -> None:
        """End what runs now; called by another thread."""
        for one in self.running:
            one.end()

    def close(self) -> None:
        """End those that were not used."""
        for found in self.ready.values():
            _end(found)
        self.ready.clear()


def _start(checker: bool) -> tuple[Sandbox, ...]:
    if not checker:
        return (Sandbox("response"),)
    one, other = socket.socketpair()
    with one, other:
        return Sandbox("response", one), Sandbox("checker", other)


def _end(sandboxes: tuple[Sandbox, ...]) -> None:
    for one in sandboxes:
        one.end()  # all of them, before waiting for any
    for one in sandboxes:
        one.kill()
