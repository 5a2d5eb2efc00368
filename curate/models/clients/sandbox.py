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
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from curate.models.engine import Engine, EngineSpec
from curate.models.model_ref import ModelRef
from curate.verifiers.sandbox.clock import Busy
from curate.verifiers.sandbox.judge import judge
from curate.verifiers.sandbox.memory import SharedMemory, most_needed
from curate.verifiers.sandbox.sandbox import Ended, identity, require
from curate.verifiers.sandbox.spares import Spares
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Give, Reply, Request, Spent, Take

# How much longer than ``total`` a program may take when it runs alone, as a multiple of it, if all of that is waiting.
PATIENCE = 3


class SandboxEngine:
    """Runs programs in sandboxes on all cores. Each thread starts its next sandbox while the last still works.

    What the programs may take of memory together is limited (``memory.py``), so that fewer may run at once than there
    are cores. A program for which the machine was too busy is run once more, alone, when the others are done.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        """Raise ``UserError`` where no sandbox can be started."""
        require()
        self.progress = progress or Progress()
        self.memory = SharedMemory()
        self.told = False
        self.workers = len(os.sched_getaffinity(0))
        # The kernel ends a sandbox with the thread that started it, so the threads stay until ``close``.
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")
        self.of_thread = threading.local()
        self.all_spares: list[Spares] = []
        self.stopping = threading.Event()

    def answer(self, take: Take, give: Give) -> None:
        """Run programs until ``take`` has none left; give each reply as soon as it is there."""
        while busy := self._answer(take, give, 2 * self.workers):
            left = deque(busy)
            self._answer(lambda left=left: [left.popleft()] if left else None, give, 1, alone=True)

    def _answer(self, take: Take, give: Give, at_once: int, alone: bool = False) -> list[Request]:
        """Run programs until ``take`` has none left; return those without a reply, as the machine was too busy.

        Args:
            take: Returns the next programs.
            give: Stores replies.
            at_once: How many programs may run or wait for a thread.
            alone: Whether they run alone, with more time: then each has a reply.
        """
        done: queue.SimpleQueue[Reply | BaseException] = queue.SimpleQueue()
        running: list[Future] = []
        asked: dict[str, Request] = {}  # by key, those that run or wait for a thread
        busy: list[Request] = []
        try:
            while True:
                running = [one for one in running if not one.done()]
                while len(asked) < at_once and (group := take()):
                    self._tell(group[0])
                    running += [self.pool.submit(self._run, request, done, alone) for request in group]
                    asked |= {request.key: request for request in group}
                if not asked:
                    return busy
                try:
                    reply = done.get(timeout=0.2)  # not for ever: the system may hand Ctrl-C to another thread
                except queue.Empty:
                    continue
                if isinstance(reply, BaseException):
                    raise reply
                request = asked.pop(reply.key)
                if reply.transient and not alone:
                    busy.append(request)
                else:
                    give([reply], Spent(1))
        finally:
            self._cancel(running)

    def _tell(self, request: Request) -> None:
        """Say once where fewer programs run at once than there are cores."""
        if not self.told:
            self.told = True
            ask = json.loads(request.messages)
            at_once = self.memory.at_once(ask, self.workers)
            if at_once < self.workers:
                self.progress.say(
                    f"sandboxes: {at_once} of {self.workers} programs at once, as one may take "
                    f"{most_needed(ask) >> 20:,} MB and all of them {(self.memory.most or 0) >> 20:,}; "
                    f"a lower memory of the scorer (here {ask['memory']}) lets more run"
                )

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

    def _run(self, request: Request, done: "queue.SimpleQueue[Reply | BaseException]", alone: bool) -> None:
        """Answer one request, in a thread of the pool."""
        if not hasattr(self.of_thread, "spares"):
            self.of_thread.spares = Spares(self.stopping)
            self.all_spares.append(self.of_thread.spares)
        try:
            ask = json.loads(request.messages)
            with self.memory.hold(most_needed(ask), self.stopping.is_set):
                done.put(_reply(request.key, ask, self.of_thread.spares, PATIENCE if alone else 0))
        except BaseException as error:  # raised again in the thread that waits
            done.put(error)


def _reply(key: str, ask: dict[str, Any], spares: Spares, patience: int) -> Reply:
    """Run a program and return the verdict on each of its tests; a transient failure where the machine was too busy."""
    try:
        verdicts = judge(ask, spares, patience)
    except Busy as error:
        return Reply(key, error=f"{error}{', also alone' if patience else ''}", transient=True)
    except Ended:  # before the program began, so something from outside has ended it
        return Reply(key, error="the sandbox ended before the program began", transient=True)
    except OSError as error:  # no process, no memory or no descriptor for another sandbox
        return Reply(key, error=f"the machine was too busy to start a sandbox: {error}", transient=True)
    text = {"unfit": verdicts.unfit} if verdicts.unfit else {"tests": verdicts.tests}
    return Reply(key, json.dumps(text), finish_reason="stop")


def _start_run(ref: ModelRef, progress: Progress) -> Engine:
    return SandboxEngine(progress)


def _resolve(name: str, model: Model, folder: Path) -> ModelRef:
    """Return the sandbox: its identity changes with its code and its Python."""
    return ModelRef(name, identity(), "", engine="sandbox")


SPEC = EngineSpec(tasks={"run": _start_run}, resolve=_resolve, installed=require, in_recipes=False)
