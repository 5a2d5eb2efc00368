"""Whether two mathematical answers are equal, by math-verify (sympy), in processes that can be killed.

Sympy can run for ever, also in C code that no signal interrupts, so nothing is compared in this process. A worker is a
plain Python that reads pairs and writes verdicts, a line of JSON each. One that is past its time is ended, by itself
(a watchdog thread outside Python's lock) or by us, and its pair has no verdict but a reason; the next pair gets a new
worker. Workers are started when they are first needed, kept for the next call, and end with this process: at its exit,
or, were it killed, at the end of their input. They take no Ctrl-C: they are in a session of their own.
"""

import atexit
import faulthandler
import json
import logging
import os
import re
import select
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

LONGEST = 300  # characters of an answer that is compared symbolically
DEEPEST = 12  # brackets within brackets in one: the time to parse them doubles with each
MOST_POWER = 10_000  # product of the exponents from 10 up in one
SECONDS = 5  # for math-verify to take over a step, of which there are three
KILLED = 4 * SECONDS  # after which a worker ends in any case
SHARE = 24  # pairs that make it worth having one worker more
MEMORY = 4 << 30  # bytes of address space of a worker
COSTLY = re.compile(
    r"\\(?:int|sum|prod|lim)|\^\s*\{?[^{}+\-*/=,\s]*\^|\w\*\*(?:\w+\*\*\w|\s*\()|(?:!|binom).*\d{4}|\d{4}.*(?:!|binom)|!.*!|\d{40}"
)
EXPONENT = re.compile(r"(?:\^|\*\*)\s*\{?\s*-?(\d+)")
PROSE = re.compile(r"[A-Za-z]{4,}")
Verdict = tuple[float | None, str | None]


def compare(pairs: list[tuple[str, str]]) -> list[Verdict]:
    """Compare the right answer with the one given, for each pair.

    Returns (1.0 or 0.0, None), or (None, why they could not be compared) in the order of ``pairs``.
    """
    verdicts: dict[tuple[str, str], Verdict] = {pair: (None, problem(*pair)) for pair in pairs}
    # Pairs with the same right answer side by side: a worker reads it once.
    left = sorted((pair for pair, (_, why) in verdicts.items() if why is None), reverse=True)
    workers: list[Worker] = []
    count = min(os.cpu_count() or 1, -(-len(left) // SHARE))
    threads = [threading.Thread(target=_work, args=(left, verdicts, workers), daemon=True) for _ in range(count)]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except BaseException:  # Ctrl-C: nothing of ours goes on
        left.clear()
        for worker in list(workers):
            worker.process.kill()
        raise
    return [verdicts[pair] for pair in pairs]


def _work(left: list[tuple[str, str]], verdicts: dict[tuple[str, str], Verdict], workers: list["Worker"]) -> None:
    """Have the pairs that are left compared, one after another, by one worker (and a new one where it ended)."""
    worker = None
    while left:
        try:
            pair = left.pop()
        except IndexError:  # another thread has taken the last one
            break
        if worker is None or worker.process.poll() is not None:
            worker = hired()
            workers.append(worker)
        verdicts[pair] = worker.ask(*pair)
    if worker:
        released(worker)


def problem(gold: str, answer: str) -> str | None:
    """Say why two answers are not compared at all, or nothing."""
    if found := _problem(gold, prose=True):
        return f"ground_truth is {found}: {gold[:60]!r}"
    if found := _problem(answer):
        return f"answer is {found}"
    return None


def _problem(answer: str, prose: bool = False) -> str | None:
    """Say why an answer cannot be compared symbolically, or nothing. With ``prose``, words alone are a reason."""
    if len(answer) > LONGEST:
        return f"longer than {LONGEST} characters"
    powers, depth, deepest = 1, 0, 0
    for power in EXPONENT.findall(answer):
        powers *= int(power[:9]) if len(power) > 1 else 1
    for character in answer:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    if powers > MOST_POWER or deepest > DEEPEST or COSTLY.search(answer):
        return "too costly to check"
    if prose and PROSE.search(_bare(answer)) and not re.search(r"[\d=+*/^\\]", answer):
        return "no mathematical answer"
    return None


def _bare(answer: str) -> str:
    """The answer without LaTeX's commands."""
    return re.sub(r"\\[A-Za-z]+", "", answer)


class Worker:
    """A process that compares pairs, one after another."""

    def __init__(self, serve: str = "from curate.verifiers.math.equal import serve; serve()") -> None:
        """Start it; ``serve`` is the Python that it runs."""
        root = str(Path(__file__).resolve().parents[3])
        self.process = subprocess.Popen(  # noqa: S603 (our own Python, our own words)
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {serve}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def ask(self, gold: str, answer: str, seconds: float = KILLED + 10) -> Verdict:
        """Have a pair compared; where it takes longer than ``seconds``, or the worker dies, say so and end it."""
        try:
            self.process.stdin.write(json.dumps([gold, answer]).encode() + b"\n")
            self.process.stdin.flush()
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            line = self.process.stdout.readline() if ready else b""
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
        self.process.stdin.close()
        self.process.stdout.close()


_idle: list[tuple[int, Worker]] = []  # with the process that started it: a fork of that must not use it
_lock = threading.Lock()


def hired() -> Worker:
    """A worker that nobody else uses."""
    with _lock:
        while _idle:
            owner, worker = _idle.pop()
            if owner == os.getpid() and worker.process.poll() is None:
                return worker
    return Worker()


def released(worker: Worker) -> None:
    """Keep a worker for the next call."""
    with _lock:
        _idle.append((os.getpid(), worker))


@atexit.register
def end_all() -> None:
    """End the workers of this process."""
    with _lock:
        for owner, worker in _idle:
            if owner == os.getpid():
                worker.end()
        _idle.clear()


# What a worker does.


def serve() -> None:
    """Answer the pairs of standard input, a line each, on standard output, until there are no more."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    # What libraries print must not get among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    read = reader()
    nowhere = open(os.devnull, "w")
    for line in sys.stdin:
        faulthandler.dump_traceback_later(KILLED, exit=True, file=nowhere)
        verdict = verified(*json.loads(line), read)
        faulthandler.cancel_dump_traceback_later()
        answers.write(json.dumps(verdict) + "\n")
        answers.flush()


def verified(gold: str, answer: str, read: Callable[[str], list]) -> Verdict:
    """Compare two answers by math-verify; ``read`` turns a text into expressions."""
    from math_verify import verify
    from math_verify.errors import TimeoutException

    try:
        if not read(gold):
            return None, f"ground_truth is no mathematical answer: {gold[:60]!r}"
        return float(verify(read(gold), read(answer), timeout_seconds=SECONDS, raise_on_error=True)), None
    except TimeoutException:
        return None, f"answer took more than {SECONDS} s to check"
    except Exception as error:  # sympy raises nearly anything on what it cannot compare
        return None, f"answer could not be compared: {type(error).__name__}"


def reader() -> Callable[[str], list]:
    """Return a function that reads an answer into sympy expressions (none where it cannot), each text once."""
    from math_verify import parse
    from math_verify.errors import TimeoutException

    for part in ("parser", "grader", "utils"):  # they warn of every answer they cannot read
        logging.getLogger(f"math_verify.{part}").setLevel(logging.CRITICAL)

    def parsed(text: str) -> list:
        try:
            return parse(text, fallback_mode="no_fallback", parsing_timeout=SECONDS, raise_on_error=True)
        except TimeoutException:
            raise
        except Exception:  # the grammar raises nearly anything on what is no mathematics
            return []

    @lru_cache(4096)
    def read(text: str) -> list:
        marked = text if re.search(r"\\boxed|\$.*\$|\\\(|\\\[", text) else f"${text}$"
        # Read as LaTeX first, but a sentence first as a sentence: "$clear, 7 of them$" would be a product.
        first, second = (text, marked) if PROSE.search(_bare(text)) else (marked, text)
        return parsed(first) or parsed(second)

    return read
