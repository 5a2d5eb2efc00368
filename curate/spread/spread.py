"""Call a pure function for many tasks: the results are the same wherever they are made, in the order of the tasks.

``spread(function, tasks)`` is the one way in which work is divided. Who makes the calls is a ``Runner``: worker
processes here (``worker_processes``), unless the body of ``run_by`` says otherwise.

A task that fails elsewhere is done again in this process, which raises the error as it is: a mistake in a file, a full
disk, a bug. So is one that MessagePack does not hold, such as a path that is no UTF-8.
"""

import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from contextvars import ContextVar
from itertools import chain, islice
from pathlib import Path
from typing import Protocol, TypeVar, cast

from curate.spread.task_calls import Call, call_of, decoded, encoded, keep, kept_answer, result_type
from curate.spread.worker_processes import WorkerProcesses

Task = TypeVar("Task")
Result = TypeVar("Result")
LOOKED_AT = 16  # tasks that are looked at before it is decided who does them
START, CORES = 1.0, 1.3  # seconds that a process takes to start; the most cores that work of one thread uses


class Workers(Protocol):
    """Who makes calls, while they are there.

    Attributes:
        ahead: How many calls to hand over before the first answer is waited for.
    """

    ahead: int

    def submit(self, call: Call) -> Future[bytes | None]:
        """Hand over a call; its answer is MessagePack, or None where this process is to make the call."""
        ...


class Runner(Protocol):
    """A way to get workers.

    Attributes:
        elsewhere: Whether calls may be made on other machines, which see the store's disk and not this one's.
    """

    elsewhere: bool

    @property
    def models(self) -> "Runner | None":
        """The runner for tasks whose worker holds a model; None where this process holds it."""
        ...

    def workers(self, tasks: int, *, kept: bool) -> AbstractContextManager[Workers] | None:
        """Return the workers for tasks, or None where this process is to do them.

        Args:
            tasks: How many tasks there are, at most ``LOOKED_AT``.
            kept: Whether their answers are kept in files.

        Raises:
            UserError: There are none to be had.
        """
        ...


_runner: ContextVar[Runner] = ContextVar("_runner", default=WorkerProcesses())  # noqa: B039 (it holds nothing)


@contextmanager
def run_by(runner: Runner) -> Generator[None]:
    """Let a runner make the calls of every ``spread`` in the body of a ``with``."""
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def elsewhere() -> bool:
    """Return whether the calls of ``spread`` may be made on other machines."""
    return _runner.get().elsewhere


def model_runner() -> Runner | None:
    """Return who does tasks whose worker holds a model; None where this process does."""
    return _runner.get().models


@contextmanager
def only_here() -> Generator[None]:
    """Let this machine make the calls in the body of a ``with``, as their files are on its own disk."""
    if not elsewhere():
        yield
        return
    with run_by(WorkerProcesses()):
        yield


def spread(
    function: Callable[[Task], Result],
    tasks: Iterable[Task],
    kept: Path | None = None,
    runner: Runner | None = None,
    *,
    try_here: bool = False,
) -> Generator[Result]:
    """Yield the result of a function for each task, in the order of the tasks.

    Args:
        function: A function of a module, with the types of its task and its result; what it does depends on the task
            alone, and doing it twice does no harm.
        tasks: The tasks; of a long list, only some are ahead of the result that was yielded last.
        kept: A folder for the results, so that a later call with the same tasks goes on where this one ended.
        runner: Who makes the calls; by default whom ``run_by`` names.
        try_here: Whether to do the first task here, and the others too if processes of this machine would be no faster:
            if it took no longer than a process takes to start, or used more than one core.

    Raises:
        Failed: A worker ended.
        Exception: As the function raises it.
    """
    signal.siginterrupt(signal.SIGINT, True)  # Polars has waits go on after Ctrl-C: for ever, where no worker comes
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
    todo = _calls(function, tasks, kept)
    runner = runner or _runner.get()
    quick = False
    if try_here and not runner.elsewhere:
        for task, call in islice(todo, 1):
            result, quick = _tried(function, task, call)
            yield result
    first = list(islice(todo, LOOKED_AT))
    chosen = None if quick else runner.workers(len(first), kept=kept is not None)
    todo = chain(first, todo)
    if chosen is None:
        for task, call in todo:
            yield _result(function, task, call, kept_answer(call) if call else None)
        return
    with chosen as workers:
        running: deque[tuple[Task, Call | None, Future[bytes | None]]] = deque()
        for task, call in todo:
            if len(running) >= workers.ahead:
                yield _next(function, running)
            running.append((task, call, _handed_over(workers, call)))
        while running:
            yield _next(function, running)


def _calls(
    function: Callable[[Task], Result], tasks: Iterable[Task], kept: Path | None
) -> Iterator[tuple[Task, Call | None]]:
    """Yield each task with its call, or None where MessagePack does not hold it."""
    for place, task in enumerate(tasks):
        try:
            yield task, call_of(function, task, kept / f"{place:06d}.answer" if kept else None)
        except UnicodeEncodeError:
            yield task, None


def _handed_over(workers: Workers, call: Call | None) -> Future[bytes | None]:
    known = kept_answer(call) if call else None
    if call and known is None:
        return workers.submit(call)
    there: Future[bytes | None] = Future()
    there.set_result(known)
    return there


def _next(function: Callable[[Task], Result], running: deque[tuple[Task, Call | None, Future[bytes | None]]]) -> Result:
    task, call, answer = running.popleft()
    return _result(function, task, call, answer.result())


def _tried(function: Callable[[Task], Result], task: Task, call: Call | None) -> tuple[Result, bool]:
    """Return the result of a task that is done here, and whether other processes would be no faster."""
    known = kept_answer(call) if call else None
    started, worked = time.monotonic(), time.process_time()
    result = _result(function, task, call, known)
    took, worked = time.monotonic() - started, time.process_time() - worked
    return result, known is None and (took < START or worked > CORES * took)


def _result(function: Callable[[Task], Result], task: Task, call: Call | None, answer: bytes | None) -> Result:
    """Return the result in an answer; where there is none, make the call here."""
    if answer is not None:
        return cast(Result, decoded(answer, result_type(function)))
    result = function(task)
    if call:
        with suppress(UnicodeEncodeError):  # as a task may be, a result may be none that MessagePack holds
            keep(call, encoded(result))
    return result
