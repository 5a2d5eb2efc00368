"""Worker processes on this machine: the way in which ``spread`` makes its calls where nobody says otherwise.

A worker (``worker_process``) is a new Python process that runs nothing but such calls; it ends when its input ends, so
that none outlives the process that started it.
"""

import os
import platform
import signal
import struct
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple, cast

import msgspec

from curate.spread.task_calls import Call
from schemas.errors import Failed

MOST_PROCESSES = 16
FEW = 4  # tasks that are not worth the second that workers take to start
ROOT = Path(__file__).resolve().parents[2]
SIZE = struct.Struct(">Q")
# Arrow's own choice of an allocator holds a large page of Parquet twice while it grows; not every wheel has this one.
ARROW = {"ARROW_DEFAULT_MEMORY_POOL": "jemalloc"} if (sys.platform, platform.machine()) == ("linux", "x86_64") else {}

# A part of a source needs the memory that the one before it gave back: to clear a page anew costs more than to keep it.
# NumPy's threads wait for work by spinning, a tenth of a second from the start on, where nobody tells them to sleep.
KEPT = {
    "MALLOC_TRIM_THRESHOLD_": str(2**26),
    "MALLOC_MMAP_THRESHOLD_": str(2**25),
    "MALLOC_TOP_PAD_": str(2**24),
    "OPENBLAS_THREAD_TIMEOUT": "4",
}


def processes_here() -> int:
    """Return how many processes this machine gives us at once."""
    held = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(held, MOST_PROCESSES)


class WorkerProcesses:
    """The runner of worker processes.

    Args:
        processes: How many to use; by default one for each core, and none for a few tasks.
    """

    elsewhere = False
    models = None  # one process uses all cores for a model

    def __init__(self, processes: int | None = None) -> None:
        self._processes = processes

    def workers(self, tasks: int, *, kept: bool) -> "_Workers | None":
        """Return the processes for tasks, or None where one does as well."""
        wanted = self._processes or (processes_here() if tasks >= FEW else 1)
        count = min(wanted, tasks)
        return _Workers(count) if count > 1 else None


class _Workers:
    """Worker processes, each with a thread that hands it a call and waits for the answer."""

    def __init__(self, count: int) -> None:
        self.ahead = 2 * count
        self._threads = ThreadPoolExecutor(count)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._all = [start_worker() for _ in range(count)]
        for worker in self._all:
            self._idle.put(worker)

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._all:
            if failed:
                worker.process.kill()
            with suppress(OSError):
                worker.calls.close()
        for worker in self._all:
            worker.process.wait()
            worker.answers.close()

    def submit(self, call: Call) -> Future[bytes | None]:
        """Hand over a call; None is its answer where the function raised an error."""
        return self._threads.submit(self._made, call)

    def _made(self, call: Call) -> bytes | None:
        worker = self._idle.get()
        try:
            send(worker.calls, call)
            reply = receive(worker.answers)
        except OSError:
            reply = None
        finally:
            self._idle.put(worker)
        if reply is None:
            raise Failed(_ended(worker))
        return msgspec.msgpack.decode(reply, type=bytes | None)


class _Worker(NamedTuple):
    """A worker process, and the ends of its input and its output."""

    process: subprocess.Popen
    calls: BinaryIO
    answers: BinaryIO


def python_paths() -> str:
    """Return where this process finds modules, for ``PYTHONPATH`` of another one."""
    return os.pathsep.join([*filter(None, sys.path), str(ROOT)])


def start_worker() -> _Worker:
    """Start a worker process, which finds modules where this process does."""
    process = subprocess.Popen(  # noqa: S603 (this Python, constant arguments)
        # -P: the current folder may hold a stranger's curate.py
        [sys.executable, "-P", "-m", "curate.spread.worker_process"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**ARROW, **KEPT, **os.environ, "PYTHONPATH": python_paths()},
        start_new_session=True,  # Ctrl-C is for this process, which ends the worker
    )
    return _Worker(process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout))


def _ended(worker: _Worker) -> str:
    with suppress(subprocess.TimeoutExpired):
        worker.process.wait(5)
    code = worker.process.returncode
    wanting = code in (-signal.SIGKILL, -signal.SIGABRT)  # by the system, and by Polars itself
    how = "was killed, perhaps for want of memory" if wanting else f"ended with {code}"
    return f"a worker process {how}; run the same command again: finished work is kept"


def send(file: BinaryIO, message: Any) -> None:
    """Write a message with its length before it."""
    body = msgspec.msgpack.encode(message)
    file.write(SIZE.pack(len(body)))
    file.write(body)
    file.flush()


def receive(file: BinaryIO) -> bytes | None:
    """Read the next message; None where there is none, or only a part of one."""
    head = file.read(SIZE.size)
    if len(head) < SIZE.size:
        return None
    (size,) = SIZE.unpack(head)
    body = file.read(size)
    return body if len(body) == size else None
