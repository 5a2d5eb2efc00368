"""Worker processes that compare pairs of expressions and can be killed.

A comparison can take long, even in C code that no signal interrupts, so what has no bound is not done in this process.
A worker is a plain Python process that reads pairs and writes verdicts, one line of JSON each. A worker that exceeds
its time is ended by itself (a watchdog thread outside Python's lock) or by this process. Its pair then has a reason in
place of a verdict, and the next pair gets a new worker. Workers start when first needed, are kept for the next call,
and end with this process: at its exit or, if it is killed, at the end of their input. Ctrl-C does not reach them: they
have a session of their own.
"""

import atexit
import contextlib
import faulthandler
import json
import os
import select
import subprocess
import sys
import threading
from pathlib import Path

from curate.verifiers.math.comparison.decide import Verdict, decide

SECONDS = 5  # limit of a pair, after which its worker is ended
SHARE = 24  # pairs per worker
MEMORY = 4 << 30  # bytes of address space of a worker


def compare_in_workers(pairs: list[tuple[str, str]]) -> dict[tuple[str, str], Verdict]:
    """Return the verdict on each pair of the right answer and the given one."""
    verdicts: dict[tuple[str, str], Verdict] = {}
    left = sorted(set(pairs), reverse=True)
    workers: list[Worker] = []
    count = min(os.cpu_count() or 1, -(-len(left) // SHARE))
    threads = [threading.Thread(target=_work, args=(left, verdicts, workers), daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C: stop all workers
        left.clear()
        for worker in list(workers):
            worker.process.kill()
        raise
    return verdicts


def _work(left: list[tuple[str, str]], verdicts: dict[tuple[str, str], Verdict], workers: list["Worker"]) -> None:
    """Have a worker compare pairs until none is left, and replace it by a new one if it ends."""
    worker = None
    while left:
        try:
            pair = left.pop()
        except IndexError:  # another thread has taken the last one
            break
        if worker is None or worker.process.poll() is not None:
            worker = borrow_worker()
            workers.append(worker)
        verdicts[pair] = worker.ask(*pair)
    if worker:
        return_worker(worker)


class Worker:
    """A process that compares pairs, one after another."""

    def __init__(self, program: str | None = None) -> None:
        """Start the process; ``program`` is the Python code that it runs, ``serve`` of this module by default."""
        root = str(Path(__file__).resolve().parents[4])
        program = program or f"from {__name__} import {serve.__name__}; {serve.__name__}()"
        self.process = subprocess.Popen(  # noqa: S603 (this Python, constant arguments)
            # -P: the current folder may hold a stranger's json.py
            [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {root!r}); {program}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self.questions, self.verdicts = self.process.stdin, self.process.stdout

    def ask(self, gold: str, answer: str, seconds: float = SECONDS + 10) -> Verdict:
        """Return the verdict on a pair; a reason, and end the worker, if it dies or takes more than ``seconds``."""
        try:
            self.questions.write(json.dumps([gold, answer]).encode() + b"\n")
            self.questions.flush()
            ready, _, _ = select.select([self.verdicts], [], [], seconds)
            line = self.verdicts.readline() if ready else b""
            if line:
                value, error = json.loads(line)
                return value, error
        except (OSError, ValueError):
            pass
        self.end()
        return None, f"answer took more than {SECONDS} s to check, and its process was ended"

    def end(self) -> None:
        """Kill it and wait until it is gone."""
        self.process.kill()
        self.process.wait()
        with contextlib.suppress(BrokenPipeError):  # a question that it did not read is still to be written
            self.questions.close()
        self.verdicts.close()


_idle: list[tuple[int, Worker]] = []  # with the id of the process that started each: a fork must not use it
_lock = threading.Lock()


def borrow_worker() -> Worker:
    """Return an idle worker, or a new one."""
    with _lock:
        while _idle:
            owner, worker = _idle.pop()
            if owner == os.getpid() and worker.process.poll() is None:
                return worker
    return Worker()


def return_worker(worker: Worker) -> None:
    """Keep an idle worker for the next call."""
    with _lock:
        _idle.append((os.getpid(), worker))


@atexit.register
def end_all() -> None:
    """End the idle workers of this process."""
    with _lock:
        for owner, worker in _idle:
            if owner == os.getpid():
                worker.end()
        _idle.clear()


def serve() -> None:
    """In a worker: compare the pairs on standard input, one per line, and write the verdicts, until it ends."""
    import resource

    from curate.verifiers.math.comparison.trees import compare_trees

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    # What libraries print must not mix with the verdicts.
    verdicts = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    devnull = open(os.devnull, "w")
    for line in sys.stdin:
        faulthandler.dump_traceback_later(SECONDS, exit=True, file=devnull)
        verdict = decide(*json.loads(line), compare_trees)
        faulthandler.cancel_dump_traceback_later()
        verdicts.write(json.dumps(verdict) + "\n")
        verdicts.flush()
