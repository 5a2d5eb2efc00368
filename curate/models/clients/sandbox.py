"""The engine ``sandbox``: runs model-written code against tests, in sandboxes, on all cores (the task ``run``).

A request's ``messages`` are JSON text:

- ``{"kind": "code", "code": "...", "tests": {...}, "seconds": 6, "total": 60, "memory": 1024}``: ``seconds`` a test,
  ``total`` seconds for all tests, ``memory`` in MB; ``tests`` is one of
- ``{"how": "checks", "setup": "...", "tests": ["assert f(1) == 2", ...]}``: pieces of code, run after ``setup``;
  without a list (None) the test functions and classes that ``setup`` defines;
- ``{"how": "stdio", "inputs": ["..."], "outputs": ["..."]}``: the program's standard inputs and its expected outputs;
- ``{"how": "call", "function": "f", "inputs": [[1, 2]], "outputs": [3]}``: arguments and expected return values;
  with ``"wrapped": true`` each expected value may stand in a list of one.

A reply's text is JSON: ``{"tests": [["0", null], ["1", "AssertionError"]]}``, the name of each test and why it failed,
or ``{"unfit": "..."}`` where the tests can't be run.
"""

import json
import os
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from curate.models.engine import Engine, EngineSpec
from curate.models.model_ref import ModelRef
from curate.verifiers.sandbox.clock import Busy
from curate.verifiers.sandbox.judge import judge
from curate.verifiers.sandbox.sandbox import Ended, identity, require
from curate.verifiers.sandbox.spares import Spares
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Give, Reply, Request, Spent, Take


class SandboxEngine:
    """Runs programs in sandboxes on all cores. Each thread starts its next sandbox while the last still works."""

    def __init__(self) -> None:
        """Raise ``UserError`` where no sandbox can be started."""
        require()
        self.workers = len(os.sched_getaffinity(0))
        # The kernel ends a sandbox with the thread that started it, so the threads stay until ``close``.
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")
        self.of_thread = threading.local()
        self.all_spares: list[Spares] = []
        self.stopping = threading.Event()

    def answer(self, take: Take, give: Give) -> None:
        """Run programs until ``take`` has none left; give each reply as soon as it is there."""
        done: queue.SimpleQueue[Reply | BaseException] = queue.SimpleQueue()
        running: list[Future] = []
        in_flight = 0
        try:
            while True:
                running = [one for one in running if not one.done()]
                while in_flight < 2 * self.workers and (group := take()):
                    running += [self.pool.submit(self._run, request, done) for request in group]
                    in_flight += len(group)
                if not in_flight:
                    return
                try:
                    reply = done.get(timeout=0.2)  # not for ever: the system may hand Ctrl-C to another thread
                except queue.Empty:
                    continue
                in_flight -= 1
                if isinstance(reply, BaseException):
                    raise reply
                give([reply], Spent(1))
        finally:
            self._cancel(running)

    def close(self) -> None:
        """End all sandboxes."""
        self.stopping.set()
        # Ctrl-C may have come before a program that had just begun was put on the list: it is ended here.
        ending = threading.Thread(target=self.pool.shutdown, kwargs={"wait": True, "cancel_futures": True})
        ending.start()
        while ending.is_alive():
            self._interrupt()
            ending.join(0.1)
        for spares in self.all_spares:
            spares.close()

    def _cancel(self, running: list[Future]) -> None:
        """End the programs that still run; their replies are dropped."""
        self.stopping.set()
        while not all(one.done() for one in running):
            self._interrupt()
            wait(running, 0.1)
        self.stopping.clear()

    def _interrupt(self) -> None:
        for spares in list(self.all_spares):
            spares.interrupt()

    def _run(self, request: Request, done: "queue.SimpleQueue[Reply | BaseException]") -> None:
        """Answer one request, in a thread of the pool."""
        if not hasattr(self.of_thread, "spares"):
            self.of_thread.spares = Spares(self.stopping)
            self.all_spares.append(self.of_thread.spares)
        try:
            done.put(_reply(request, self.of_thread.spares))
        except BaseException as error:  # raised again in the thread that waits
            done.put(error)


def _reply(request: Request, spares: Spares) -> Reply:
    """Run the program of a request and return the verdict on each of its tests."""
    ask = json.loads(request.messages)
    try:
        verdicts = judge(ask, spares)
    except Busy as error:
        return Reply(request.key, error=str(error), transient=True)
    except Ended:  # before the program began, so something from outside has ended it
        return Reply(request.key, error="the sandbox ended before the program began", transient=True)
    text = {"unfit": verdicts.unfit} if verdicts.unfit else {"tests": verdicts.tests}
    return Reply(request.key, json.dumps(text), finish_reason="stop")


def _start_run(ref: ModelRef, progress: Progress) -> Engine:
    return SandboxEngine()


def _resolve(name: str, model: Model, folder: Path) -> ModelRef:
    """Return the sandbox: its identity changes with its code and its Python."""
    return ModelRef(name, identity(), "", engine="sandbox")


SPEC = EngineSpec(tasks={"run": _start_run}, resolve=_resolve, installed=require, in_recipes=False)
