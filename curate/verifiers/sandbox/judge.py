"""Run a response's code against a row's tests in sandboxes, and return which tests pass and why the others fail.

The response's code never runs where a verdict is made: what it prints and returns is compared in this process, and
tests that are code run in a second sandbox (the checker), joined to the response's by a socket. If a program ends or is
killed in the middle of a test, that test has failed, and those after it run in new sandboxes.
"""

import contextlib
import math
import os
import select
import time
from dataclasses import dataclass, field
from typing import Any

from curate.verifiers.sandbox.clock import Clock, Late
from curate.verifiers.sandbox.compare import same_text, same_value, short, shown
from curate.verifiers.sandbox.sandbox import Ended, Sandbox
from curate.verifiers.sandbox.spares import Spares

MAX_OUTPUT = 4 << 20  # bytes that a program may print for one input
MAX_STARTS = 20  # of sandboxes, for one response
MAX_TESTS = 100_000


@dataclass
class Verdicts:
    """The verdicts on a row's tests.

    Attributes:
        tests: The name of each test run so far and why it failed (None: it passed).
        count: How many tests there are, None while unknown.
        unfit: Why there is no verdict at all, or None.
    """

    tests: list[tuple[str, str | None]] = field(default_factory=list)
    count: int | None = None
    unfit: str | None = None

    def add(self, name: str, why: str | None) -> None:
        """Record the verdict on the next test."""
        self.tests.append((name, why))

    def fail_drain_ready(self, why: str) -> None:
        """Fail the tests that are left, for one reason."""
        while len(self.tests) < (self.count or 1):
            self.add(str(len(self.tests)), why)


def judge(request: dict[str, Any], spares: Spares, patience: float = 0) -> Verdicts:
    """Run all tests of a request.

    Args:
        request: The code, its tests and limits (``curate/models/clients/sandbox.py`` describes it).
        spares: The calling thread's sandboxes.
        patience: How long the whole run may wait for a processor beside its ``total``, as a multiple of that.

    Raises:
        Busy: If the machine had no time for the program.
        Cancelled: If the run is being stopped.
    """
    clock = Clock(request["seconds"], request["total"], patience * request["total"])
    how = request["tests"]["how"]
    verdicts = Verdicts(count=_count(request["tests"]))
    session = _checks if how == "checks" else _feeds if how == "stdio" else _calls
    for _ in range(MAX_STARTS):
        began = len(verdicts.tests)
        try:
            session(request, spares, clock, verdicts)
        except Late as late:
            if clock.ends <= time.monotonic():
                verdicts.fail_drain_ready(str(late))
            else:
                verdicts.add(str(len(verdicts.tests)), str(late))
        if verdicts.unfit or len(verdicts.tests) == verdicts.count:
            return verdicts
        if len(verdicts.tests) == began:
            break
    verdicts.fail_drain_ready("not run: the tests before it ended the program too often")
    return verdicts


def _count(tests: dict[str, Any]) -> int | None:
    held = tests["tests"] if tests["how"] == "checks" else tests["inputs"]
    return None if held is None else len(held)


def _limits(request: dict[str, Any]) -> dict[str, Any]:
    return {"memory": request["memory"] << 20, "seconds": math.ceil(request["total"]) + 1}


def _begin(sandbox: Sandbox, request: dict[str, Any], job: dict[str, Any], clock: Clock) -> None:
    """Send a sandbox its limits and its job, once it is ready."""
    with contextlib.suppress(TimeoutError):
        sandbox.receive(clock.begun + clock.total + clock.patience)
    sandbox.send(_limits(request), request["total"])
    sandbox.send(job, request["total"])


def _checks(request: dict[str, Any], spares: Spares, clock: Clock, verdicts: Verdicts) -> None:
    """Run the tests that have not run yet, as code in a checker."""
    with spares.take(checker=True) as (response, checker):
        done = len(verdicts.tests)
        _begin(response, request, {"how": "serve", "code": request["code"]}, clock)
        _begin(checker, request, {k: request["tests"][k] for k in ("setup", "tests")} | {"skip": done}, clock)
        spares.refill(checker=True)
        clock.restart(response, checker)
        try:
            more = _report(_loaded(checker, clock), verdicts)
            while more:
                clock.restart()
                more = _report(_message(checker, clock), verdicts)
        except Ended:
            verdicts.add(str(len(verdicts.tests)), f"the tests ended early ({checker.status()})")


def _loaded(sandbox: Sandbox, clock: Clock) -> dict[str, Any]:
    """Return the first message: whether the response's code could be run. If not, no test is tried."""
    try:
        return _message(sandbox, clock)
    except Late as late:
        return {"load": f"before the tests: {late}"}
    except Ended:
        return {"load": f"the program ended before the tests ({sandbox.status()})"}


def _text(why: Any) -> str:
    """Return the reason a sandbox gives, which may be any value, as a short text that is valid UTF-8."""
    return str(why if isinstance(why, str) else type(why))[:200].encode("utf-8", "replace").decode()


def _report(message: dict[str, Any], verdicts: Verdicts) -> bool:
    """Record a message of the checker; return whether more messages are to come."""
    if message.get("load") is not None:
        verdicts.fail_drain_ready(_text(message["load"]))
        verdicts.count = len(verdicts.tests)
    elif "begin" in message:
        if type(message["begin"]) is not int or not 0 < message["begin"] <= MAX_TESTS:
            raise Ended
        verdicts.count = message["begin"]
    elif "test" in message:
        why = None if message.get("why", "") is None else _text(message.get("why"))
        if message.get("unfit"):
            verdicts.unfit = f"{_text(message['test'])}: {why}"
        verdicts.add(_text(message["test"]), why)
        return len(verdicts.tests) < (verdicts.count or 0)
    elif "unfit" in message:
        verdicts.unfit = _text(message["unfit"])
    elif "gone" in message:
        verdicts.add(str(len(verdicts.tests)), "the program ended in the middle of it")
    return "begin" in message or message.get("load", "") is None


def _feeds(request: dict[str, Any], spares: Spares, clock: Clock, verdicts: Verdicts) -> None:
    """Run the program on the inputs it has not had yet; compare what it prints."""
    tests = request["tests"]
    with spares.take(checker=False) as (sandbox,):
        _begin(sandbox, request, {"how": "stdio", "code": request["code"]}, clock)
        spares.refill(checker=False)
        for number in range(len(verdicts.tests), len(tests["inputs"])):
            clock.restart(sandbox)
            with contextlib.suppress(Ended):  # reported below
                sandbox.send({"input": tests["inputs"][number]}, clock.seconds)
            printed = bytearray()
            try:
                why = _output(sandbox, clock, printed).get("done")
                ended = False
            except Ended as end:
                why, ended = str(end) or None, True
            found = printed.decode("utf-8", "replace")
            if why is None and not same_text(found, tests["outputs"][number]):
                why = f"expected {short(tests['outputs'][number])}, found {short(found)}"
            verdicts.add(str(number), None if why is None else _text(why))
            if ended:
                return


def _calls(request: dict[str, Any], spares: Spares, clock: Clock, verdicts: Verdicts) -> None:
    """Call the function on the inputs it has not had yet; compare what it returns."""
    done, tests = len(verdicts.tests), request["tests"]
    with spares.take(checker=False) as (sandbox,):
        job = {"how": "call", "code": request["code"], "function": tests["function"], "inputs": tests["inputs"][done:]}
        _begin(sandbox, request, job, clock)
        spares.refill(checker=False)
        clock.restart(sandbox)
        try:
            if (why := _loaded(sandbox, clock).get("load")) is not None:
                verdicts.fail_drain_ready(_text(why))
                return
            wrapped = tests.get("wrapped", False)
            for expected in tests["outputs"][done:]:
                clock.restart(sandbox)
                verdicts.add(str(len(verdicts.tests)), _wrong(_message(sandbox, clock), expected, wrapped))
        except Ended:
            verdicts.add(str(len(verdicts.tests)), f"the program ended in the middle of it ({sandbox.status()})")


def _wrong(message: dict[str, Any], expected: Any, wrapped: bool) -> str | None:
    """Return why the result of a call is wrong, or None; ``wrapped``: see ``compare.same_value``."""
    if "value" not in message:
        return _text(message.get("raised", "no result"))
    try:
        found = message["value"]
        return None if same_value(found, expected, wrapped) else f"expected {short(expected)}, found {shown(found)}"
    except RecursionError:
        return "no result: a value that is nested too deeply"


def _message(sandbox: Sandbox, clock: Clock) -> dict[str, Any]:
    """Wait for the next message. Raises ``Ended``, ``Late`` and ``Busy``."""
    while True:
        try:
            return sandbox.receive(time.monotonic() + clock.left())
        except TimeoutError:
            continue


def _output(sandbox: Sandbox, clock: Clock, printed: bytearray) -> dict[str, Any]:
    """Wait for the message that the program is done with an input; append what it prints meanwhile to ``printed``.

    Raises:
        Ended: If the program ended; with the reason, unless its exit status is 0.
        Late: If it is out of time.
        Busy: If the machine had no time for it.
    """
    pipe, control = sandbox.output.fileno(), sandbox.control.fileno()
    watched = select.poll()
    watched.register(control, select.POLLIN)
    watched.register(pipe, select.POLLIN)
    message = None
    while message is None:
        ready = dict(watched.poll(math.ceil(clock.left() * 1000)))
        if pipe in ready and not _drain(pipe, printed):
            watched.unregister(pipe)
        if control in ready:
            try:
                sandbox.read()
            except Ended as end:
                _drain_ready(pipe, printed)
                status = sandbox.status()
                raise Ended("" if status == "exit status 0" else f"the program ended with {status}") from end
        message = sandbox.next_message()
    _drain_ready(pipe, printed)
    return message


def _drain_ready(pipe: int, printed: bytearray) -> None:
    """Read what the pipe already holds."""
    waiting = select.poll()
    waiting.register(pipe, select.POLLIN)
    while waiting.poll(0) and _drain(pipe, printed):
        pass


def _drain(pipe: int, printed: bytearray) -> bool:
    """Read from a pipe; return whether more may come. Raises ``Ended`` for more than ``MAX_OUTPUT``."""
    part = os.read(pipe, 1 << 16)
    printed += part
    if len(printed) > MAX_OUTPUT:
        raise Ended(f"printed more than {MAX_OUTPUT >> 20} MB")
    return bool(part)
