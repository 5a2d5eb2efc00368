"""Judge a response whose ground truth lists accepted answers, or is itself a list."""

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from curate.algorithms.text.written_lists import NUMBER
from curate.score._accepted_answers import Accepted, Written, written_list

UNCLEAR = (
    "ground_truth is a list of numbers or truth values, and the response one of them: 'several' says whether that is "
    "right"
)
Normalise = Callable[[pl.Series], pl.Series]


class Row(NamedTuple):
    """A response and its ground truth, as written and as they are compared.

    Attributes:
        response: The response.
        truth: The ground truth.
        accepted: What the ground truth accepts.
        answer: The response, normalised.
        answers: The accepted answers, normalised.
    """

    response: str
    truth: str
    accepted: Accepted
    answer: str
    answers: list[str]


def verdict(row: Row, normalise: Normalise, several: bool | None) -> tuple[float | None, str | None]:
    """Return value and error: 1.0 for the whole list, whatever its quotes and spaces, or for one accepted answer.

    A list of one accepted text is right as that text is, where the ground truth is a list: ``["Paris"]`` for
    ``['Paris', 'Lyon']``. Of parts that may be alternatives or all needed, a response that has none of them is wrong.

    Args:
        row: The response and its ground truth.
        normalise: What brings texts to the form in which they are compared.
        several: Whether a list holds several accepted answers (True) or is itself the answer (False).
    """
    given = written_list(row.response)
    expected = written_list(row.truth) if given else None
    if given and expected and given.shape == expected.shape and _alike(given.leaves, expected.leaves, normalise):
        return 1.0, None
    if several is False:
        return 0.0, None
    if row.accepted.wrong:
        whole = False
        if given and expected and not given.inner:
            whole = any(_alike(given.leaves, inner, normalise) for inner in expected.inner)
        if several and whole:
            return 1.0, None
        part = whole or _has_part(row, given, normalise)
        return (0.0, None) if row.accepted.answers and not part else (None, row.accepted.wrong)
    hit = row.answer in row.answers
    if given and expected and given.shape == "[.]" and expected.shape.startswith("[") and not row.accepted.unclear:
        hit = hit or _normal(given.leaves, normalise)[0] in row.answers
    return (None, UNCLEAR) if hit and row.accepted.unclear and several is None else (float(hit), None)


def _has_part(row: Row, given: Written | None, normalise: Normalise) -> bool:
    """Return whether a response may be one of the parts, or name some: numbers have to be equal to one."""
    if given and given.inner:
        return False
    if given:
        return not set(row.answers).isdisjoint(_normal(given.leaves, normalise)) and (
            len(given.leaves) == 1 or not _are_numbers(row.answers)
        )
    return row.answer in row.answers if _are_numbers(row.answers) else any(part in row.answer for part in row.answers)


def _are_numbers(texts: list[str]) -> bool:
    return all(map(NUMBER.fullmatch, texts))


def _normal(texts: tuple[str, ...], normalise: Normalise) -> list[str]:
    return normalise(pl.Series(texts, dtype=pl.String)).to_list()


def _alike(one: tuple[str, ...], other: tuple[str, ...], normalise: Normalise) -> bool:
    return len(one) == len(other) and (one == other or _normal(one, normalise) == _normal(other, normalise))
