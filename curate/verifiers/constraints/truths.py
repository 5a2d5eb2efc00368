"""Reading what the rows ask: each distinct ground truth and each distinct constraint once, parameters in columns."""

import ast
import json
from typing import Any, NamedTuple

import msgspec
import polars as pl

from curate.verifiers.constraints.forms import Kind, check_constraint, parameters_of, short
from curate.verifiers.constraints.ifeval import as_constraints
from schemas.errors import UserError

SPLIT = msgspec.json.Decoder(list[msgspec.Raw])
LITERAL = 100_000  # characters of a ground truth written as a Python literal, as in open-instruct's data


class Asked(NamedTuple):
    """What the rows ask. Constraints are numbered; those of a form, a kind with lists of the same lengths, go together.

    told      a row a distinct ground ``truth``: the numbers of its ``constraint``s (a list), or what is ``wrong``
    shown     constraint -> itself as JSON
    form      constraint -> the number of its form
    place     constraint -> its place in the columns of its form
    columns   form -> its kind, and each parameter as a column, or a list of columns where it is a list
    """

    told: pl.DataFrame
    shown: pl.Series
    form: pl.Series
    place: pl.Series
    columns: list[tuple[str, dict[str, pl.Series | list[pl.Series]]]]


def read(truths: list[str], kinds: dict[str, Kind]) -> Asked:
    """Read the distinct ground truths; a constraint that many of them hold is read, checked and kept once."""
    numbers: dict[bytes, int] = {}  # by its text: nearly every constraint is then known without being read
    constraints: list[dict[str, Any]] = []
    held: list[list[int] | None] = []
    wrong: list[str | None] = []
    for truth in truths:
        try:
            written = pieces(truth)
            for place, text in enumerate(written):
                if text not in numbers:
                    constraint = json.loads(text)
                    checked(constraint, kinds, place)
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
    number = {key: n for n, key in enumerate(members)}
    columns = {"truth": truths, "constraint": held, "wrong": wrong}
    return Asked(
        pl.DataFrame(columns, {"truth": pl.String, "constraint": pl.List(pl.Int64), "wrong": pl.String}),
        pl.Series([json.dumps(constraint) for constraint in constraints], dtype=pl.String),
        pl.Series([number[key] for key in form], dtype=pl.Int64),
        pl.Series(place, dtype=pl.Int64),
        [(key[0], as_columns(group, kinds[key[0]])) for key, group in members.items()],
    )


def pieces(truth: str) -> list[bytes]:
    """The constraints of a ground truth, each as JSON that is not read yet; raises ``UserError`` where it is wrong."""
    try:
        written = SPLIT.decode(truth)
    except (msgspec.DecodeError, RecursionError):
        written = None  # an object, a Python literal, or wrong
    if written and not (len(written) == 1 and b"instruction_id" in bytes(written[0])):
        return [bytes(text) for text in written]
    return [json.dumps(constraint).encode() for constraint in listed(truth)]


def as_columns(constraints: list[dict[str, Any]], kind: Kind) -> dict[str, pl.Series | list[pl.Series]]:
    """The parameters of constraints of one form."""
    columns: dict[str, pl.Series | list[pl.Series]] = {}
    for name, parameter in parameters_of(kind).items():
        values = [constraint.get(name, parameter.default) for constraint in constraints]
        if isinstance(values[0], list):
            columns[name] = [pl.Series(item, dtype=pl.String) for item in zip(*values, strict=True)]
        else:
            columns[name] = pl.Series(values)
    return columns


def listed(truth: str) -> list[object]:
    """A row's ground truth as a list; raises ``UserError`` saying what is wrong with it."""
    try:
        wanted = json.loads(truth)
    except (ValueError, RecursionError):
        wanted = literal(truth)
        if wanted is None:
            raise UserError(f"ground_truth is not JSON: {short(truth)}; expected a list of constraints") from None
    try:
        wanted = as_constraints(wanted)
    except UserError as error:
        raise UserError(f"ground_truth: {error}") from None
    if not isinstance(wanted, list) or not wanted:
        raise UserError(f"ground_truth is {short(wanted)}; expected a list of one or more constraints")
    return wanted


def literal(truth: str) -> object:
    """A Python literal in which IFEval's form is written, or None."""
    if "instruction_id" not in truth or len(truth) > LITERAL:
        return None
    try:
        return ast.literal_eval(truth.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def checked(constraint: object, kinds: dict[str, Kind], place: int) -> None:
    """Raise ``UserError`` that says which constraint of a ground truth is wrong, and how."""
    try:
        check_constraint(constraint, kinds)
    except UserError as error:
        raise UserError(f"ground_truth[{place}]: {error}") from None
