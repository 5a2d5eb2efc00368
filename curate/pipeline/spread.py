"""Call a pure function for many tasks, in this process or in several: the results are the same, in the order of tasks.

``spread(function, tasks)`` is the one way in which work is divided. The function belongs to a module; its task and its
result are dataclasses of plain values, which go to a worker process and back as MessagePack. What is large goes through
files that the task names. A worker (``spread_worker``) is a new Python process that runs nothing but such functions; it
ends when its input ends, so that none outlives the process that started it.

A task that fails in a worker is done again in this process, which raises the error as it is: a mistake in a file, a
full disk, a bug. So is one that MessagePack does not hold, such as a path that is no UTF-8.
"""

import os
import platform
import signal
import struct
import subprocess
import sys
import typing
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, NamedTuple, TypeVar, cast

import msgspec

from schemas.errors import Failed

Task = TypeVar("Task")
Result = TypeVar("Result")
MOST_PROCESSES = 16
FEW = 4  # tasks that are not worth the second that workers take to start
ROOT = Path(__file__).resolve().parents[2]
SIZE = struct.Struct(">Q")
# Arrow's own choice of an allocator holds a large page of Parquet twice while it grows; not every wheel has this one.
ARROW = {"ARROW_DEFAULT_MEMORY_POOL": "jemalloc"} if (sys.platform, platform.machine()) == ("linux", "x86_64") else {}


def processes_here() -> int:
    """Return how many processes this machine gives us at once."""
    held = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(held, MOST_PROCESSES)


def spread(
    function: Callable[[Task], Result], tasks: Iterable[Task], processes: int | None = None
) -> Generator[Result]:
    """Yield the result of a function for each task, in the order of the tasks.

    Args:
        function: A function of a module, with the types of its task and its result; what it does depends on the task
            alone, and doing it twice does no harm.
        tasks: The tasks; of a long list, only some are ahead of the result that was yielded last.
        processes: How many worker processes to use; by default one for each core, and none for a few tasks.

    Raises:
        Failed: A worker process ended.
        Exception: As the function raises it.
    """
    pending = iter(tasks)
    first = list(islice(pending, MOST_PROCESSES))
    wanted = processes if processes is not None else processes_here() if len(first) >= FEW else 1
    count = min(wanted, len(first))
    if count < 2:
        yield from map(function, chain(first, pending))
        return
    with _Workers(function, count) as workers:
        running = deque((task, workers.submit(task)) for task in first)

        def next_result() -> Result:
            task, answer = running.popleft()
            made = answer.result()
            return function(task) if made is None else made

        for task in pending:
            if len(running) >= 2 * count:
                yield next_result()
            running.append((task, workers.submit(task)))
        while running:
            yield next_result()


class _Workers:
    """Worker processes, each with a thread that hands it a task and waits for the result; None where it has none."""

    def __init__(self, function: Callable[[Any], Any], count: int) -> None:
        self._name = f"{function.__module__}:{getattr(function, '__qualname__', '')}"
        self._kind = typing.get_type_hints(function)["return"]
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

    def submit(self, task: Any) -> Future[Any]:
        return self._threads.submit(self._call, task)

    def _call(self, task: Any) -> Any:
        worker = self._idle.get()
        try:
            send(worker.calls, [self._name, task])
            reply = receive(worker.answers)
        except UnicodeEncodeError:
            return None
        except OSError:
            reply = None
        finally:
            self._idle.put(worker)
        if reply is None:
            raise Failed(_ended(worker))
        done, value = msgspec.msgpack.decode(reply, type=tuple[bool, msgspec.Raw])
        return decoded(value, self._kind) if done else None


class _Worker(NamedTuple):
    """A worker process, and the ends of its input and its output."""

    process: subprocess.Popen
    calls: BinaryIO
    answers: BinaryIO


def start_worker() -> _Worker:
    """Start a worker process, which finds modules where this process does."""
    paths = os.pathsep.join([*filter(None, sys.path), str(ROOT)])
    process = subprocess.Popen(  # noqa: S603 (this Python, constant arguments)
        # -P: the current folder may hold a stranger's curate.py
        [sys.executable, "-P", "-m", "curate.pipeline.spread_worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**ARROW, **os.environ, "PYTHONPATH": paths},
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


def decoded(body: bytes | msgspec.Raw, kind: Any) -> Any:
    """Return a value from MessagePack."""
    return msgspec.msgpack.decode(body, type=kind, dec_hook=_counter)


def _counter(kind: Any, value: Any) -> Any:
    if typing.get_origin(kind) is not Counter:
        raise NotImplementedError(f"{kind} does not go to a worker")
    (key,) = typing.get_args(kind)
    return Counter({msgspec.convert(one, key): count for one, count in value.items()})
