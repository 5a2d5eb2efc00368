"""The process that holds Ray (``ray_driver``) as the one that started it sees it, and the messages between them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Lock, Thread
from typing import BinaryIO, cast

import msgspec

from curate.spread.ray_node import about_here
from curate.spread.task_calls import Call
from curate.spread.worker_processes import python_paths, receive, send
from schemas.errors import Failed, UserError

LOG = "ray.log"  # what Ray and the libraries of its process print
ENDING = 20  # seconds in which Ray must end by itself
NEXT = "run the same command again: finished work is kept"


class Start(msgspec.Struct):
    """The first message to Ray's process.

    Attributes:
        address: The cluster; empty for one of its own.
        processes: How many workers its own cluster has.
        holders: How many workers hold a model; 0 for one on each GPU, or where there is none, on each machine.
        about: ``ray_node.about_here`` of the process that asks.
        folder: The current folder of that process, for relative paths.
        empty: A folder for Ray's process, which removes it.
    """

    address: str
    processes: int
    holders: int
    about: str
    folder: str
    empty: str


class Ready(msgspec.Struct):
    """Its first answer: how many calls the cluster makes at once, and how many workers hold models; or why none."""

    processes: int
    holders: int = 0
    unfit: str = ""


class Asked(msgspec.Struct):
    """A call in MessagePack, with its number; or without one: end the workers that hold models.

    Attributes:
        number: What the answer is known by.
        call: The call.
        held: Whether its worker holds a model for it.
    """

    number: int = 0
    call: bytes = b""
    held: bool = False


class Answer(msgspec.Struct):
    """The outcome of the call of a number (``ray_node.Made``)."""

    number: int
    result: bytes | None
    error: str = ""
    unfit: str = ""


class RayProcess:
    """Ray's process, from its start to its end.

    Attributes:
        processes: How many calls the cluster makes at once.
        holders: How many workers hold a model, when there are tasks for them.
    """

    def __init__(self, address: str, processes: int, holders: int, failed: Callable[[str], None]) -> None:
        """Start it, and wait until it can take calls.

        Args:
            address: The cluster; empty for one of its own.
            processes: How many workers its own cluster has.
            holders: As in ``Start``.
            failed: Called with why a worker did not make a call, which then has None as its answer.

        Raises:
            UserError: It cannot.
        """
        self.processes, self.holders, self._failed = 0, 0, failed
        self._lock, self._number = Lock(), 0
        self._waiting: dict[int, Future[bytes | None]] = {}
        prefix = f"gristmill-ray-{os.getpid()}-"
        # Not TMPDIR: Ray has sockets in it, whose paths have at most 107 bytes.
        self._empty = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))  # noqa: S108 (a name of its own)
        self._process = subprocess.Popen(  # noqa: S603 (this Python, constant arguments)
            [sys.executable, "-P", "-m", "curate.spread.ray_driver"],  # -P: as in worker_processes
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": python_paths(), "PYTHONSAFEPATH": "1", "RAY_USAGE_STATS_ENABLED": "0"},
            start_new_session=True,  # Ctrl-C is for this process, which ends it
        )
        self._calls, self._answers = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        try:
            send(self._calls, Start(address, processes, holders, about_here(), os.getcwd(), str(self._empty)))
            body = receive(self._answers)
            ready = msgspec.msgpack.decode(body, type=Ready) if body else Ready(0, unfit=self._ended())
            if ready.unfit:
                raise UserError(f"--ray{' ' * bool(address)}{address}: {ready.unfit}")
            self.processes, self.holders = ready.processes, ready.holders
        except BaseException:
            self.stop(patience=0)
            raise
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def submit(self, call: Call, *, held: bool = False) -> Future[bytes | None]:
        """Hand over a call, with ``held`` to a worker that holds models.

        ``Failed`` is raised for its answer where Ray ended, or could not make it.
        """
        answer: Future[bytes | None] = Future()
        with self._lock:
            self._number += 1
            self._waiting[self._number] = answer
            try:
                send(self._calls, Asked(self._number, msgspec.msgpack.encode(call), held))
            except (OSError, ValueError):  # it has ended
                self._waiting.pop(self._number, None)
                answer.set_exception(Failed(f"{self._ended()}; {NEXT}"))
        return answer

    def end_holders(self) -> None:
        """End the workers that hold models."""
        with self._lock, suppress(OSError, ValueError):
            send(self._calls, Asked())

    def stop(self, patience: float = ENDING) -> None:
        """End it, and its own cluster; calls that are not answered are dropped.

        Args:
            patience: The seconds before it is killed, if it does not end.
        """
        with suppress(OSError):
            self._calls.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.returncode < 0:  # it was killed, and has ended nothing of what it started
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        shutil.rmtree(self._empty, ignore_errors=True)

    def _read(self) -> None:
        while (body := receive(self._answers)) is not None:
            answer = msgspec.msgpack.decode(body, type=Answer)
            waiting = self._waiting.pop(answer.number, None)
            if waiting is None:
                continue
            if answer.unfit:
                waiting.set_exception(Failed(f"Ray: {answer.unfit}; {NEXT}"))
                continue
            if answer.error:
                self._failed(answer.error)
            waiting.set_result(answer.result)
        ended = Failed(f"{self._ended()}; {NEXT}")
        with self._lock:
            for waiting in self._waiting.values():
                waiting.set_exception(ended)
            self._waiting.clear()

    def _ended(self) -> str:
        """Return how it ended, with the last line that it wrote."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        said = ""
        with suppress(OSError):
            lines = (self._empty / LOG).read_text("utf-8", "replace").split("\n")
            said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"Ray's process ended with {self._process.returncode}" + (f": {said[-300:]}" if said else "")
