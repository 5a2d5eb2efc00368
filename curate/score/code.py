"""The share of the prompt's unit tests that the response's code passes, run in a sandbox (bubblewrap, Linux only).

``ground_truth`` holds the tests, in any of the forms that data sets use (``curate/verifiers/programs/unit_tests.py``):
asserts, ``check(candidate)`` with its entry point, inputs and outputs of a program or of a function, pytest or unittest
code. The code is the last complete block that defines a name used in the tests, or that reads and prints, with what it
needs of the other blocks (``curate/verifiers/programs/response_code.py``). A response without code scores 0.0.
``detail`` is JSON: how many tests passed, and which failed and why.

The sandbox has the standard library only, no network, and one process without children. A response can't pass a test by
printing, leaving early, patching or posing as the expected value: its code runs in one process, and verdicts are made
in another.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from curate.steps.model_calls import ModelCalls, Scoring
from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests
from schemas.errors import UserError

SHOWN = 10  # failed tests in ``detail``


def score(
    response: pl.Series, ground_truth: pl.Series, *, seconds: float = 6.0, total: float = 60.0, memory: int = 1024
) -> Scoring:
    """Return ``value`` (0 to 1, null where there are no tests to run), ``detail`` (JSON) and ``error``.

    Args:
        response: The responses.
        ground_truth: The tests of each row.
        seconds: Limit of one test, not counting the time in which it waited for a processor. At least 0.1.
        total: Limit of all tests of a response, in seconds. At least ``seconds``.
        memory: Limit of memory, in MB. At least 64.

    Raises:
        UserError: For a limit out of its range.
    """
    for name, value, least in (("seconds", seconds, 0.1), ("total", total, seconds), ("memory", memory, 64)):
        if not least <= value <= 1e6:
            raise UserError(f"{name} is {value:g}; expected at least {least:g}")
    limits = {"seconds": seconds, "total": total, "memory": memory}
    rows = list(_requests(response.cast(pl.String), ground_truth.cast(pl.String), limits))
    answers = yield ModelCalls(pl.Series("ask", [request for request, _ in rows], dtype=pl.String), "sandbox", "run")
    found = [
        scored or _read(text, error)
        for (_, scored), text, error in zip(rows, answers["response"], answers["error"], strict=True)
    ]
    schema = {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


Scored = tuple[float | None, str | None, str | None]  # value, detail, error


def _requests(
    responses: pl.Series, truths: pl.Series, limits: dict[str, Any]
) -> Iterator[tuple[str | None, Scored | None]]:
    """Yield for each row the request to the sandbox and None, or None and the score of a row that needs no run."""
    known: dict[str | None, UnitTests | str] = {}  # the candidates of a prompt share its tests
    for response, truth in zip(responses, truths, strict=True):
        tests = known[truth] = known.get(truth) or read_tests(truth)
        if isinstance(tests, str):
            yield None, (None, None, tests)
        elif response is None:
            yield None, (None, None, "no response")
        elif (code := code_of(response, tests)) is None:
            yield None, (0.0, json.dumps({"passed": 0, "why": "the response has no Python code"}), None)
        else:
            yield json.dumps({"kind": "code", "code": code, "tests": tests.run} | limits), None


def _read(text: str | None, error: str | None) -> Scored:
    """Return the value, detail and error that follow from the sandbox's reply."""
    if text is None:
        return None, None, error or "the sandbox gave no reply"
    reply = json.loads(text)
    if "unfit" in reply:
        return None, None, f"the tests can't be run: {reply['unfit']}"
    tests = reply["tests"]
    if not tests:
        return None, None, "no test was run"
    failed = {name: why for name, why in tests if why is not None}
    passed = sum(why is None for _, why in tests)
    detail = {"passed": passed, "tests": len(tests)}
    if failed:
        detail["failed"] = dict(list(failed.items())[:SHOWN])
    return passed / len(tests), json.dumps(detail, ensure_ascii=False), None
