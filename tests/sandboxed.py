"""Run programs in real sandboxes and return the verdicts of ``judge``, for tests."""

import atexit
import threading

from curate.verifiers.sandbox.judge import judge
from curate.verifiers.sandbox.spares import Spares

# Each program leaves a started sandbox for the next one; the kernel ends it with the thread that started it.
SHARED = Spares(threading.Event())
atexit.register(SHARED.close)
LIMITS = {"seconds": 2, "total": 20, "memory": 256}


def checks(code, tests=("assert f(1) == 2",), setup="", **limits):
    """Why each piece of test code failed (None: it passed), or a text where the tests can't be run."""
    return verdicts(code, {"how": "checks", "setup": setup, "tests": tests and list(tests)}, limits)


def stdio(code, *pairs, **limits):
    """Why each pair of input and output failed."""
    return verdicts(code, {"how": "stdio", "inputs": [a for a, _ in pairs], "outputs": [b for _, b in pairs]}, limits)


def call(code, *pairs, function="f", **limits):
    """Why each pair of arguments and result failed."""
    return verdicts(
        code,
        {"how": "call", "function": function, "inputs": [a for a, _ in pairs], "outputs": [b for _, b in pairs]},
        limits,
    )


def verdicts(code, tests, limits):
    main = threading.current_thread() is threading.main_thread()
    spares = SHARED if main else Spares(threading.Event())
    try:
        found = judge({"kind": "code", "code": code, "tests": tests} | LIMITS | limits, spares)
    finally:
        if not main:
            spares.close()
    return found.unfit or [why for _, why in found.tests]
