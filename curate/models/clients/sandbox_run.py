"""The engine of the task ``run``: runs model-written code against tests, in sandboxes, on all cores.

An ask is JSON text:

- ``{"kind": "code", "code": "...", "tests": {...}, "seconds": 6, "total": 60, "memory": 1024}``: ``seconds`` a test,
  ``total`` seconds for all of them, ``memory`` in MB; ``tests`` is one of
- ``{"how": "checks", "setup": "...", "tests": ["assert f(1) == 2", ...]}``: pieces of code, run after ``setup``;
  without a list (None) the test functions and classes that ``setup`` defines;
- ``{"how": "stdio", "inputs": ["..."], "outputs": ["..."]}``: what is fed to the program, and what it should print;
- ``{"how": "call", "function": "f", "inputs": [[1, 2]], "outputs": [3]}``: arguments, and what it should return.

A reply's text is JSON: ``{"tests": [["0", null], ["1", "AssertionError"]]}``, the name of each test and why it failed,
or ``{"unfit": "..."}`` where the tests can't be run.
"""

import json
import os
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from curate.models.model_ref import ModelRef
from curate.verifiers.sandbox.clock import Busy
from curate.verifiers.sandbox.judge import judge
from curate.verifiers.sandbox.sandbox import Ended, require
from curate.verifiers.sandbox.spares import Spares
from schemas.progress import Progress
from schemas.requests import Give, Reply, Request, Spent, Take


class Engine:
    """Sandboxes on all cores. Each thread starts its next one while the last still works."""

    def __init__(self, ref: ModelRef, progress: Progress) -> None:
        """Raise ``UserError`` where no sandbox can be started."""
        require()
        self.ref, self.progress = ref, progress
        self.workers = len(os.sched_getaffinity(0))
        # The kernel ends a sandbox with the thread that started it, so the threads stay until ``close``.
        self.pool = ThreadPoolExecutor(self.workers, thread_name_prefix="sandbox")
        self.own = threading.local()
        self.every: list[Spares] = []
        self.stopping = threading.Event()

    def answer(self, take: Take, give: Give) -> None:
        """Run programs until ``take`` has none; give each reply as soon as it is there."""
        done: queue.SimpleQueue[Reply | BaseException] = queue.SimpleQueue()
        begun: list[Future] = []
        flying = 0
        try:
            while True:
                begun = [one for one in begun if not one.done()]
                while flying < 2 * self.workers and (group := take()):
                    begun += [self.pool.submit(self._run, request, done) for request in group]
                    flying += len(group)
                if not flying:
                    return
                try:
                    reply = done.get(timeout=0.2)  # not for ever: the system may hand Ctrl-C to another thread
                except queue.Empty:
                    continue
                flying -= 1
                if isinstance(reply, BaseException):
                    raise reply
                give([reply], Spent(1))
        finally:
            self._cancel(begun)

    def close(self) -> None:
        """End all sandboxes."""
        self.stopping.set()
        # Ctrl-C may have come before a program that was just begun was taken note of: it is ended here.
        ending = threading.Thread(target=self.pool.shutdown, kwargs={"wait": True, "cancel_futures": True})
        ending.start()
        while ending.is_alive():
            self._interrupt()
            ending.join(0.1)
        for spares in self.every:
            spares.close()

    def _cancel(self, begun: list[Future]) -> None:
        """End what is under way; its replies are nobody's any more."""
        self.stopping.set()
        while not all(one.done() for one in begun):
            self._interrupt()
            wait(begun, 0.1)
        self.stopping.clear()

    def _interrupt(self) -> None:
        for spares in list(self.every):
            spares.interrupt()

    def _run(self, request: Request, done: "queue.SimpleQueue[Reply | BaseException]") -> None:
        """Answer one request, in a thread of the pool."""
        if not hasattr(self.own, "spares"):
            self.own.spares = Spares(self.stopping)
            self.every.append(self.own.spares)
        try:
            done.put(_reply(request, self.own.spares))
        except BaseException as error:  # told to the thread that waits
            done.put(error)


def _reply(request: Request, spares: Spares) -> Reply:
    ask = json.loads(request.messages)
    try:
        verdicts = judge(ask, spares)
    except Busy as error:
        return Reply(request.key, error=str(error), transient=True)
    except Ended:  # before the program began, so something from outside has ended it
        return Reply(request.key, error="the sandbox ended before the program began", transient=True)
    text = {"unfit": verdicts.unfit} if verdicts.unfit else {"tests": verdicts.tests}
    return Reply(request.key, json.dumps(text), finish_reason="stop")
