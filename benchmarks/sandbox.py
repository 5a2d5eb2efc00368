"""Time to start a sandbox, and time for many programs in sandboxes, compared with plain ``python -I``.

``python -m benchmarks.sandbox 200`` prints a line for each. Plain Python runs the same code without any protection.
"""

import json
import os
import subprocess
import sys
import time

from benchmarks.measure import Row, medians, wall
from curate.models.clients.sandbox import SandboxEngine
from curate.verifiers.sandbox import bwrap_command, sandbox
from schemas.requests import Reply, Request, Sampling, Spent, make_request

CODE = "def f(x):\n    return x + 1\n"
TIMES = 15


def measure(count: int = 200) -> list[Row]:
    """Return medians of 15 starts and of 3 rounds of ``count`` programs, alternating with plain Python."""
    python = str(bwrap_command.interpreter())
    sandbox.require()
    ours, peer = medians(_start, lambda: wall(python, "-I", "-c", "pass"), times=TIMES)
    engine = SandboxEngine()
    try:
        checks = {"how": "checks", "setup": "", "tests": ["assert f(1) == 2", "assert f(2) == 3"]}
        stdio = {"how": "stdio", "inputs": ["1\n", "2\n"], "outputs": ["2\n", "3\n"]}
        pooled, single, plain = medians(
            lambda: _programs(engine, count, CODE, checks),
            lambda: _programs(engine, count, f"{CODE}print(f(int(input())))", stdio),
            lambda: _plain(python, count),
            times=3,
            warm=False,
        )
    finally:
        engine.close()
    return [
        Row("sandbox, from start to end", ours, "s", "python -I + 0.030 s", "python -I -c pass", peer),
        Row(f"sandbox, {count} programs with 2 asserts (two sandboxes each)", pooled, "s", "", "python -I", plain),
        Row(f"sandbox, {count} programs with 2 inputs (one sandbox each)", single, "s", "", "python -I", plain),
    ]


def _start() -> float:
    started = time.perf_counter()
    one = sandbox.Sandbox("response")
    one.receive(time.monotonic() + 30)
    one.kill()
    return time.perf_counter() - started


def _programs(engine: SandboxEngine, count: int, code: str, tests: dict) -> float:
    asks = [
        {"kind": "code", "code": f"{code}# {n}", "tests": tests, "seconds": 6, "total": 60, "memory": 1024}
        for n in range(count)
    ]
    groups = iter([[make_request("sandbox", json.dumps(ask), None, Sampling(), 0, "run")] for ask in asks])
    passed = 0

    def take() -> list[Request] | None:
        return next(groups, None)

    def give(replies: list[Reply], spent: Spent) -> None:
        nonlocal passed
        passed += sum(json.loads(reply.text or "null") == {"tests": [["0", None], ["1", None]]} for reply in replies)

    started = time.perf_counter()
    engine.answer(take, give)
    seconds = time.perf_counter() - started
    assert passed == count, f"{passed} of {count} passed"
    return seconds


def _plain(python: str, count: int) -> float:
    """Run ``count`` plain processes, as many at once as the engine has threads."""
    code = f"{CODE}assert f(1) == 2\nassert f(2) == 3"
    running: list[subprocess.Popen] = []
    started = time.perf_counter()
    for _ in range(count):
        if len(running) == len(os.sched_getaffinity(0)):
            running.pop(0).wait()
        running.append(subprocess.Popen([python, "-I", "-c", code]))
    for one in running:
        assert one.wait() == 0
    return time.perf_counter() - started


if __name__ == "__main__":
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        print(f"{row.name}: {row.figure:.3f} {row.unit}, {row.peer} {row.peer_figure:.3f}: {row.ratio:.2f} times")
