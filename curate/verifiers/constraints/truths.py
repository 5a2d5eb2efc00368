"""Read the constraints in ground truths: each distinct constraint once, with its parameters in columns."""

import json
from typing import Any, NamedTuple

import msgspec
import polars as pl

from curate.algorithms.text.written_lists import written_value
from curate.verifiers.constraints.forms import Kind, check_constraint, parameters_of, short
from curate.verifiers.constraints.recorded_lists import as_constraints
from curate.verifiers.constraints.written_settings import read_settings
from schemas.errors import UserError

SPLIT = msgspec.json.Decoder(list[msgspec.Raw])


class Constraints(NamedTuple):
    """The distinct constraints of ground truths, by number, grouped into forms.

    Constraints of one form are of one kind and have lists of the same lengths, so that they are checked together.

    Attributes:
        by_truth: A row for each distinct ground ``truth``: the numbers of its constraints (``constraint``, a list), or
            what is ``wrong`` with it.
        shown: Constraint -> the constraint as JSON.
        begun: Constraint -> the same without the last bracket, so that what was found can follow.
        form: Constraint -> the number of its form.
        place: Constraint -> its index in the columns of its form.
        columns: Form -> its kind, and each parameter as a column, or as a list of columns if it is a list.
    """

    by_truth: pl.DataFrame
    shown: pl.Series
    begun: pl.Series
    form: pl.Series
    place: pl.Series
    columns: list[tuple[str, dict[str, pl.Series | list[pl.Series]]]]


def read_constraints(truths: list[str], kinds: dict[str, Kind]) -> Constraints:
    """Return the constraints of distinct ground truths. Each distinct constraint is parsed and validated once.

    Args:
        truths: The ground truths, as JSON text.
        kinds: The kinds of constraints, by name.
    """
    numbers: dict[bytes, int] = {}  # by its JSON text, so that most constraints need no parsing
    constraints: list[dict[str, Any]] = []
    held: list[list[int] | None] = []
    wrong: list[str | None] = []
    for truth in truths:
        try:
            written = pieces(truth)
            for place, text in enumerate(written):
                if text not in numbers:
                    constraint = read_settings(json.loads(text), kinds)
                    check_at(constraint, kinds, place)
                    numbers[text] = len(constraints)
                    constraints.append(constraint)
            held.append([numbers[text] for text in written])
            wrong.append(None)
        except UserError as error:
            held.append(None)
            wrong.append(str(error))
    members: dict[tuple, list[dict[str, Any]]] = {}
    form, place = [], []
    for constraint in constraints:
        key = (constraint["kind"], *(len(value) for value in constraint.values() if isinstance(value, list)))
        group = members.setdefault(key, [])
        form.append(key)
        place.append(len(group))
        group.append(constraint)
    shown = [json.dumps(constraint) for constraint in constraints]
    number = {key: n for n, key in enumerate(members)}
    return Constraints(
        pl.DataFrame(
            {
                "truth": pl.Series(truths, dtype=pl.String),
                "constraint": as_lists(held),
                "wrong": pl.Series(wrong, dtype=pl.String),
            }
        ),
        pl.Series(shown, dtype=pl.String),
        pl.Series([text[:-1] for text in shown], dtype=pl.String),
        pl.Series([number[key] for key in form], dtype=pl.Int64),
        pl.Series(place, dtype=pl.Int64),
        [(key[0], as_columns(group, kinds[key[0]])) for key, group in members.items()],
    )


def as_lists(held: list[list[int] | None]) -> pl.Series:
    """Return a column of lists; from flat columns, which is ten times as fast as from the lists themselves."""
    owner = [row for row, numbers in enumerate(held) for _ in numbers or ()]
    flat = pl.DataFrame(
        {"row": owner, "number": [number for numbers in held for number in numbers or ()]},
        {"row": pl.Int64, "number": pl.Int64},
    )
    rows = pl.select(row=pl.int_range(len(held), dtype=pl.Int64))
    lists = flat.group_by("row", maintain_order=True).agg("number")
    return rows.join(lists, on="row", how="left", maintain_order="left")["number"]


def pieces(truth: str) -> list[bytes]:
    """Return the constraints of a ground truth, each as JSON not yet parsed. Raises ``UserError`` if not valid."""
    try:
        written = SPLIT.decode(truth)
    except (msgspec.DecodeError, RecursionError):
        written = None  # an object, a Python literal, or not valid
    if written and all(b'"kind"' in bytes(text) for text in written):
        return [bytes(text) for text in written]
    return [json.dumps(constraint).encode() for constraint in parse_list(truth)]


def as_columns(constraints: list[dict[str, Any]], kind: Kind) -> dict[str, pl.Series | list[pl.Series]]:
    """Return the parameters of constraints of one form, as columns."""
    columns: dict[str, pl.Series | list[pl.Series]] = {}
    for name, parameter in parameters_of(kind).items():
        values = [constraint.get(name, parameter.default) for constraint in constraints]
        if isinstance(values[0], list):
            columns[name] = [pl.Series(item, dtype=pl.String) for item in zip(*values, strict=True)]
        else:
            columns[name] = pl.Series(values)
    return columns


def parse_list(truth: str) -> list[object]:
    """Return a row's ground truth as a list. Raises ``UserError`` that says what is wrong with it."""
    try:
        parsed = json.loads(truth)
    except (ValueError, RecursionError):
        parsed = written_value(truth)  # as Python writes it, in open-instruct's data
        if parsed is None:
            raise UserError(f"ground_truth is not JSON: {short(truth)}; expected a list of constraints") from None
    try:
        parsed = as_constraints(parsed)
    except UserError as error:
        raise UserError(f"ground_truth: {error}") from None
    if not isinstance(parsed, list) or not parsed:
        raise UserError(f"ground_truth is {short(parsed)}; expected a list of one or more constraints")
    return parsed


def check_at(constraint: object, kinds: dict[str, Kind], place: int) -> None:
    """Raise ``UserError`` if the constraint at index ``place`` of a ground truth is not valid."""
    try:
        check_constraint(constraint, kinds)
    except UserError as error:
        raise UserError(f"ground_truth[{place}]: {error}") from None
