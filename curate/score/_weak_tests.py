"""Finds tests that let responses pass which solve nothing, for the scorer ``code``."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from curate.verifiers.programs.hostile import hostile_responses
from curate.verifiers.programs.tests_found import UnitTests

SHOWN = 4  # kinds of hostile responses in the line of a stage


def hostile_requests(
    tests: dict[str | None, UnitTests | str], limits: dict[str, Any]
) -> Iterator[tuple[str | None, str, str]]:
    """Yield each hostile response to each prompt's tests: the ground truth, what it does, the request to the sandbox.

    Args:
        tests: The tests of each ground truth, or why it has none.
        limits: The limits of a program.
    """
    for truth, found in tests.items():
        if isinstance(found, UnitTests):
            for does, code in hostile_responses(found).items():
                yield truth, does, json.dumps({"kind": "code", "code": code, "tests": found.run} | limits)


def weak_tests(asked: Iterable[tuple[str | None, str]], replies: Iterable[str | None]) -> dict[str | None, list[str]]:
    """Return for each ground truth whose tests were run what the hostile responses do that pass all of them.

    Args:
        asked: The ground truth and what the response does, for each request.
        replies: The sandbox's reply to each, or None.
    """
    found: dict[str | None, list[str]] = {}
    for (truth, does), text in zip(asked, replies, strict=True):
        tests = json.loads(text or "{}").get("tests")
        if tests:
            passing = found.setdefault(truth, [])
            passing += [does] if all(why is None for _, why in tests) else []
    return found


def weak_line(found: dict[str | None, list[str]], refused: bool) -> str | None:
    """Return how many prompts' tests are weak, why, and what to set; None where none were run."""
    if not found:
        return None
    kinds = Counter(does for passing in found.values() for does in passing)
    weak = sum(bool(passing) for passing in found.values())
    if not weak:
        return f"weak tests: none of {len(found):,} prompts"
    listed = [f"{does}: {count:,}" for does, count in kinds.most_common(SHOWN)]
    more = ["..."] if len(kinds) > SHOWN else []
    then = "these prompts have no score" if refused else "weak: refuse gives these prompts no score"
    return (
        f"weak tests: those of {weak:,} of {len(found):,} prompts pass a response that solves nothing "
        f"({', '.join(listed + more)}); {then}"
    )
