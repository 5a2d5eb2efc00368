"""Compare mathematical answers with math-verify (sympy), in worker processes that can be killed.

Sympy can run for ever, even in C code that no signal interrupts, so nothing is compared in this process. A worker is a
plain Python process that reads pairs and writes verdicts, one line of JSON each. A worker that exceeds its time is
ended by itself (a watchdog thread outside Python's lock) or by this process. Its pair then has a reason in place of a
verdict, and the next pair gets a new worker. Workers start when first needed, are kept for the next call, and end with
this process: at its exit or, if it is killed, at the end of their input. Ctrl-C does not reach them: they have a
session of their own.
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
DEEPEST = 12  # levels of brackets in an answer: the time to parse doubles with each
MOST_POWER = 10_000  # product of the exponents of 10 or more in an answer
SECONDS = 5  # limit of each of the three steps of math-verify
KILLED = 4 * SECONDS  # after which a worker is ended in any case
SHARE = 24  # pairs per worker
MEMORY = 4 << 30  # bytes of address space of a worker
COSTLY = re.compile(
    r"\\(?:int|sum|prod|lim)|\^\s*\{?[^{}+\-*/=,\s]*\^|\w\*\*(?:\w+\*\*\w|\s*\()|(?:!|binom).*\d{4}|\d{4}.*(?:!|binom)|!.*!|\d{40}"
)
EXPONENT = re.compile(r"(?:\^|\*\*)\s*\{?\s*-?(\d+)")
PROSE = re.compile(r"[A-Za-z]{4,}")
Verdict = tuple[float | None, str | None]


def compare(pairs: list[tuple[str, str]]) -> list[Verdict]:
    """Compare the answers of each pair.

    Args:
        pairs: Pairs of the right answer and the given one.

    Returns:
        For each pair (1.0 or 0.0, None), or (None, the reason why they could not be compared).
    """
    verdicts: dict[tuple[str, str], Verdict] = {pair: (None, problem(*pair)) for pair in pairs}
    # Sorted, so that pairs with the same right answer are neighbours: a worker parses it once.
    left = sorted((pair for pair, (_, why) in verdicts.items() if why is None), reverse=True)
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
    return [verdicts[pair] for pair in pairs]


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


def problem(gold: str, answer: str) -> str | None:
    """Return why two answers are not compared at all, or None."""
    if found := _problem(gold, prose=True):
        return f"ground_truth is {found}: {gold[:60]!r}"
    if found := _problem(answer):
        return f"answer is {found}"
    return None


def _problem(answer: str, prose: bool = False) -> str | None:
    """Return why an answer cannot be compared symbolically, or None. With ``prose``, words alone are a reason."""
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
    """Return the answer without LaTeX commands."""
    return re.sub(r"\\[A-Za-z]+", "", answer)


class Worker:
    """A process that compares pairs, one after another."""

    def __init__(self, program: str | None = None) -> None:
        """Start the process; ``program`` is the Python code that it runs, ``serve`` of this module by default."""
        root = str(Path(__file__).resolve().parents[3])
        program = program or f"from {__name__} import {serve.__name__}; {serve.__name__}()"
        self.process = subprocess.Popen(  # noqa: S603 (this Python, constant arguments)
            [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {program}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self.process.stdin is not None and self.process.stdout is not None  # pipes
        self.questions, self.verdicts = self.process.stdin, self.process.stdout

    def ask(self, gold: str, answer: str, seconds: float = KILLED + 10) -> Verdict:
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


# The code that runs in a worker.


def serve() -> None:
    """Compare the pairs on standard input, one per line, and write the verdicts to standard output, until it ends."""
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
    # What libraries print must not mix with the verdicts.
    verdicts = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    parse = make_parser()
    devnull = open(os.devnull, "w")
    for line in sys.stdin:
        faulthandler.dump_traceback_later(KILLED, exit=True, file=devnull)
        verdict = verify_pair(*json.loads(line), parse)
        faulthandler.cancel_dump_traceback_later()
        verdicts.write(json.dumps(verdict) + "\n")
        verdicts.flush()


def verify_pair(gold: str, answer: str, parse: Callable[[str], list]) -> Verdict:
    """Return math-verify's verdict on two answers; ``parse`` turns a text into expressions."""
    from math_verify import verify
    from math_verify.errors import TimeoutException

    try:
        if not parse(gold):
            return None, f"ground_truth is no mathematical answer: {gold[:60]!r}"
        return float(verify(parse(gold), parse(answer), timeout_seconds=SECONDS, raise_on_error=True)), None
    except TimeoutException:
        return None, f"answer took more than {SECONDS} s to check"
    except Exception as error:  # sympy raises nearly anything for answers that it cannot compare
        return None, f"answer could not be compared: {type(error).__name__}"


def make_parser() -> Callable[[str], list]:
    """Return a cached function that parses an answer into sympy expressions; an empty list if it can't."""
    from math_verify import parse
    from math_verify.errors import TimeoutException

    for part in ("parser", "grader", "utils"):  # they warn about every answer that they can't parse
        logging.getLogger(f"math_verify.{part}").setLevel(logging.CRITICAL)

    def try_parse(text: str) -> list:
        try:
            return parse(text, fallback_mode="no_fallback", parsing_timeout=SECONDS, raise_on_error=True)
        except TimeoutException:
            raise
        except Exception:  # the grammar raises nearly anything for text that is no mathematics
            return []

    @lru_cache(4096)
    def parse_answer(text: str) -> list:
        marked = text if re.search(r"\\boxed|\$.*\$|\\\(|\\\[", text) else f"${text}$"
        # LaTeX is tried first, except for a sentence: "$clear, 7 of them$" would be a product.
        first, second = (text, marked) if PROSE.search(_bare(text)) else (marked, text)
        return try_parse(first) or try_parse(second)

    return parse_answer
