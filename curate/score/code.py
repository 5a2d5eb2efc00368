"""The share of the prompt's unit tests that the response's code passes, run in a sandbox (bubblewrap, Linux only).

``ground_truth`` holds the tests, in any of the shapes that data sets have (``curate/score/_unit_tests.py``): asserts,
``check(candidate)`` with its entry point, inputs and outputs of a program or of a function, pytest or unittest code.
The code is the last Python block that defines what the tests name, or a response that is Python as a whole; a response
without code is 0.0. ``detail`` is JSON: how many tests passed, and which failed and how.

Only the standard library is there, no network, and one process without children. ``seconds`` is what a test may take,
not counting the time for which it had no processor; ``total`` is for all tests of a response; ``memory`` is in MB. What
a response prints can't pass a test, nor can leaving early, patching or posing as the expected value: its code runs in a
process of its own, and verdicts are made in another.
"""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from curate.score._unit_tests import code_of, read_tests
from curate.steps.model_calls import ModelCalls, Scoring
from schemas.errors import UserError

SHOWN = 10  # failed tests in ``detail``


def score(
    response: pl.Series, ground_truth: pl.Series, *, seconds: float = 6.0, total: float = 60.0, memory: int = 1024
) -> Scoring:
    """Return ``value`` (0..1, null where there are no tests to run), ``detail`` (JSON) and ``error``.

    Raises ``UserError`` for a limit that no program could live with.
    """
    for name, value, least in (("seconds", seconds, 0.1), ("total", total, seconds), ("memory", memory, 64)):
        if not least <= value <= 1e6:
            raise UserError(f"{name} is {value:g}; expected at least {least:g}")
    limits = {"seconds": seconds, "total": total, "memory": memory}
    rows = list(_asks(response.cast(pl.String), ground_truth.cast(pl.String), limits))
    answers = yield ModelCalls(pl.Series("ask", [ask for ask, _ in rows], dtype=pl.String), "sandbox", "run")
    found = [
        settled or _read(text, error)
        for (_, settled), text, error in zip(rows, answers["response"], answers["error"], strict=True)
    ]
    schema = {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    return pl.DataFrame(found, schema=schema, orient="row")


Scored = tuple[float | None, str | None, str | None]  # value, detail, error


def _asks(
    responses: pl.Series, truths: pl.Series, limits: dict[str, Any]
) -> Iterator[tuple[str | None, Scored | None]]:
    """What is to be run for each row, or its score where nothing is."""
    known: dict[str | None, dict[str, Any] | str] = {}  # the candidates of a prompt share its tests
    for response, truth in zip(responses, truths, strict=True):
        tests = known[truth] = known.get(truth) or read_tests(truth)
        if isinstance(tests, str):
            yield None, (None, None, tests)
        elif response is None:
            yield None, (None, None, "no response")
        elif (code := code_of(response, tests)) is None:
            yield None, (0.0, json.dumps({"passed": 0, "why": "the response has no Python code"}), None)
        else:
            yield json.dumps({"kind": "code", "code": code, "tests": tests} | limits), None


def _read(text: str | None, error: str | None) -> Scored:
    """The score that the sandbox's reply comes to."""
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
