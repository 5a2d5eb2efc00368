"""The share of the prompt's unit tests that the response's code passes, run in a sandbox (bubblewrap, Linux only).

``ground_truth`` holds the tests, in any of the forms that data sets use (``curate/verifiers/programs/unit_tests.py``):
asserts, ``check(candidate)`` with its entry point, inputs and outputs of a program or of a function, pytest or unittest
code. The code is the last complete block that defines a name used in the tests, or that reads and prints, with what it
needs of the other blocks (``curate/verifiers/programs/response_code.py``). A response without code scores 0.0.
``detail`` is JSON: how many tests passed, and which failed and why.

The sandbox has the standard library only, no network, and one process without children. A response can't pass a test by
printing, leaving early, patching or posing as the expected value: its code runs in one process, and verdicts are made
in another.

Tests may be so weak that a response passes them which solves nothing. With ``validate`` a few such responses
(``curate/verifiers/programs/hostile.py``) are run against the tests of each prompt; ``detail`` has under ``weak`` what
those do that pass them all, and the stage's line says of how many prompts.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal

import polars as pl

from curate.score._weak_tests import hostile_requests, weak_line, weak_tests
from curate.steps.model_calls import ModelCalls, Scoring
from curate.verifiers.programs.response_code import code_of
from curate.verifiers.programs.tests_found import UnitTests
from curate.verifiers.programs.unit_tests import read_tests
from schemas.errors import UserError

SHOWN = 10  # failed tests in ``detail``


def score(
    response: pl.Series,
    ground_truth: pl.Series,
    *,
    seconds: float = 6.0,
    total: float = 60.0,
    memory: int = 1024,
    validate: bool = False,
    weak: Literal["keep", "refuse"] = "keep",
) -> Scoring:
    """Return ``value`` (0 to 1, null where there are no tests to run), ``detail`` (JSON) and ``error``.

    Args:
        response: The responses.
        ground_truth: The tests of each row.
        seconds: Limit of one test, not counting the time in which it waited for a processor. At least 0.1.
        total: Limit of all tests of a response, in seconds. At least ``seconds``.
        memory: Limit of memory, in MB. At least 64.
        validate: Run responses that solve nothing against each prompt's tests, and report the tests that they pass.
        weak: Whether a prompt's rows keep their score where its tests are so weak (``keep``) or have none (``refuse``,
            which needs ``validate``).

    Raises:
        UserError: For a limit out of its range, or ``weak`` without ``validate``.
    """
    for name, value, least in (("seconds", seconds, 0.1), ("total", total, seconds), ("memory", memory, 64)):
        if not least <= value <= 1e6:
            raise UserError(f"{name} is {value:g}; expected at least {least:g}")
    if weak == "refuse" and not validate:
        raise UserError("weak is 'refuse', but nothing looks for weak tests; set validate: true too")
    limits = {"seconds": seconds, "total": total, "memory": memory}
    truths = ground_truth.cast(pl.String)
    tests = {truth: read_tests(truth) for truth in truths.unique(maintain_order=True)}  # candidates share a prompt's
    rows = list(_requests(response.cast(pl.String), truths, tests, limits))
    answers = yield ModelCalls(pl.Series("ask", [request for request, _ in rows], dtype=pl.String), "sandbox", "run")
    found = [
        scored or _read(text, error)
        for (_, scored), text, error in zip(rows, answers["response"], answers["error"], strict=True)
    ]
    schema = {"value": pl.Float64, "detail": pl.String, "error": pl.String}
    if not validate:
        return pl.DataFrame(found, schema=schema, orient="row")
    hostile = list(hostile_requests(tests, limits))
    answers = yield ModelCalls(
        pl.Series("ask", [request for *_, request in hostile], dtype=pl.String), "sandbox", "run"
    )
    passing = weak_tests([(truth, does) for truth, does, _ in hostile], answers["response"])
    found = [_with_weak(one, passing.get(truth), weak == "refuse") for one, truth in zip(found, truths, strict=True)]
    note = pl.lit(weak_line(passing, weak == "refuse"), pl.String)
    return pl.DataFrame(found, schema=schema, orient="row").with_columns(note=note)


Scored = tuple[float | None, str | None, str | None]  # value, detail, error


def _requests(
    responses: pl.Series, truths: pl.Series, known: dict[str | None, UnitTests | str], limits: dict[str, Any]
) -> Iterator[tuple[str | None, Scored | None]]:
    """Yield for each row the request to the sandbox and None, or None and the score of a row that needs no run."""
    for response, truth in zip(responses, truths, strict=True):
        tests = known[truth]
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


def _with_weak(scored: Scored, passing: list[str] | None, refuse: bool) -> Scored:
    """Return a score with what is known of its tests: which responses that solve nothing pass them."""
    value, detail, error = scored
    if not passing or detail is None:
        return scored
    if refuse:
        value, error = None, f"weak tests: a response passes them that {' or '.join(passing[:2])}"
    return value, json.dumps(json.loads(detail) | {"weak": passing}, ensure_ascii=False), error
