"""Check the settings that a recipe gives a step against the step's signature."""

import math
import typing
from typing import Any

import polars as pl
from pydantic import ConfigDict, TypeAdapter, ValidationError

from curate.steps.find_step import Step
from schemas.errors import UserError, unknown


def check_settings(step: Step, given: dict[str, Any], where: str, seed: int = 0) -> dict[str, Any]:
    """Return all settings of a step, defaults filled in.

    Args:
        step: The step.
        given: The settings that the recipe gives.
        where: The recipe's file and line, for errors.
        seed: The recipe's seed, for a step that takes one and is not given its own.

    Raises:
        UserError: A setting is unknown, missing, of the wrong type, or refused by the step.
    """
    names = [*step.required, *step.defaults]
    for name in given:
        if name not in names:
            raise unknown(f"setting of {step.kind} {step.name!r} called", name, names, where)
    for name in step.required:
        if name not in given:
            raise UserError(f"{where}: {step.kind} {step.name!r} needs the setting {name!r}")
    kinds = typing.get_type_hints(step.function)
    for name, value in given.items():
        _check_type(value, kinds.get(name, Any), f"{where}: {step.kind} {step.name!r}: {name}")
    if isinstance(given.get("seed"), int) and given["seed"] < 0:
        raise UserError(f"{where}: {step.kind} {step.name!r}: seed: expected a number from 0 up, found {given['seed']}")
    seeded = {"seed": seed} if "seed" in step.defaults else {}
    settings = {**step.defaults, **seeded, **given}
    if (step.kind in ("dedup", "select") or step.makes == "write_prompts") and "." not in step.name:
        _call_on_no_rows(step, settings, where)
    return settings


def check_reads(step: Step, columns: list[str], where: str) -> None:
    """Raise ``UserError`` unless every column the step reads is among ``columns``."""
    for name in step.reads:
        if name not in columns:
            raise unknown(f"column (which {step.kind} {step.name!r} reads) called", name, columns, where)


def _call_on_no_rows(step: Step, settings: dict[str, Any], where: str) -> None:
    """Call a step on no rows, so that settings that it refuses are found before any request is paid for."""
    kinds = {"score": pl.Float64, "embedding": pl.Array(pl.Float32, 1), "known": pl.Boolean}
    columns = {name: pl.Series(name, [], dtype=kinds.get(name, pl.String)) for name in step.reads}
    try:
        step.call(columns, settings)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _check_type(value: Any, kind: Any, place: str) -> None:
    """Raise ``UserError``, which begins with ``place``, unless a value has a type."""
    try:
        TypeAdapter(kind, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError:
        raise UserError(f"{place}: expected {_type_in_words(kind)}, found {value!r}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{place}: expected a finite number, found {value}")


def _type_in_words(kind: Any) -> str:
    """Return a setting's type for an error: ``int``, or the values that it may have."""
    if typing.get_origin(kind) is typing.Literal:
        return f"one of {', '.join(map(repr, typing.get_args(kind)))}"
    return str(kind) if typing.get_args(kind) else getattr(kind, "__name__", str(kind))
