"""Turn what a caller gives a step (lists, arrays, a frame, settings) into the columns and the settings of the step."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, Protocol

import numpy as np
import polars as pl

from curate.steps.find_step import Step
from curate.storage.polars_types import polars_schema
from curate.storage.rows import CANDIDATES
from schemas.errors import UserError, unknown
from schemas.rows import PROMPTS

TYPES: dict[str, Any] = polars_schema(CANDIDATES | PROMPTS) | {
    "score": pl.Float64,
    "known": pl.Boolean,
    "text": pl.String,
}


class Values(Protocol):
    """A list, a tuple or another sequence, but no text, whose ``__contains__`` takes texts only."""

    def __contains__(self, value: object, /) -> bool: ...
    def __getitem__(self, index: int, /) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...


# The types of the arguments of a call; the stubs of the steps (`make stubs`) use them.
Column = Values | pl.Series | np.ndarray
Rows = pl.DataFrame | pl.LazyFrame | Mapping[str, Column]
# The keys of a recipe's step that are not among the step's own settings.
RECIPE_SETTINGS = {"score": ("by",), "dedup": ("on", "by", "model", "against"), "select": ("on", "by", "model")}


def split_arguments(
    step: Step, positional: Sequence[Any], named: Mapping[str, Any], place: str
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Return the columns and the settings of a call.

    Args:
        step: The step.
        positional: A frame or a mapping of columns; or columns, in the order of the step's parameters.
        named: Further columns, and settings.
        place: What an error begins with.

    Raises:
        UserError: A name is unknown, a column is given twice or is none, or columns differ in length.
    """
    columns = _positional_columns(step, positional, place)
    known = (*step.required, *step.defaults, *RECIPE_SETTINGS[step.kind])
    for name in ("on", "by"):
        if name in known and not isinstance(named.get(name, ""), str):
            raise UserError(f"{place}: {name}: expected the name of a column, found {named[name]!r:.80}")
    also_columns = (*step.columns, named.get("on"), named.get("by"))
    settings: dict[str, Any] = {}
    for name, value in named.items():
        if name in columns and name in step.columns:
            raise UserError(f"{place}: the column {name!r} is given twice")
        if name in also_columns or ("scores" in step.columns and name not in known):
            columns[name] = value
        elif name in known:
            settings[name] = str(value) if isinstance(value, PurePath) else value
        else:
            raise unknown("column or setting", name, [*step.columns, *known], place)
    if "embedding" in columns and "text" not in columns and _are_texts(columns["embedding"]):
        columns["text"] = columns.pop("embedding")  # to be embedded
    return _frame(columns, place), settings


def _positional_columns(step: Step, positional: Sequence[Any], place: str) -> dict[str, Any]:
    """Return the columns of a frame, or those given in the order of the step's parameters."""
    frame = positional[0] if len(positional) == 1 else None
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    elif hasattr(frame, "columns") and not isinstance(frame, pl.DataFrame):
        raise UserError(
            f"{place}: expected a Polars frame, found {type(frame).__module__}.{type(frame).__name__}; "
            f"polars.from_pandas, polars.from_arrow or its own to_polars() makes one"
        )
    if isinstance(frame, pl.DataFrame | Mapping):
        return dict(frame.to_dict() if isinstance(frame, pl.DataFrame) else frame)
    if len(positional) > len(step.columns):
        raise UserError(
            f"{place}: takes at most {len(step.columns)} columns ({', '.join(step.columns)}), found {len(positional)}"
        )
    return dict(zip(step.columns, positional, strict=False))


def _are_texts(values: Any) -> bool:
    """Return whether a column's first value that is not null is text."""
    if isinstance(values, pl.Series):
        return values.dtype == pl.String
    return isinstance(values, list | tuple) and isinstance(next((v for v in values if v is not None), None), str)


def _frame(columns: dict[str, Any], place: str) -> pl.DataFrame:
    """Return a frame of columns, which must be equally long."""
    made = {name: _column(name, values, place) for name, values in columns.items()}
    lengths = {name: len(column) for name, column in made.items()}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserError(f"{place}: expected columns of one length, found {found}")
    return pl.DataFrame(made)


def _column(name: str, values: Any, place: str) -> pl.Series:
    """Return a column: an embedding as an array, JSON as text, other values in their type of the store's tables."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, pl.Series | Sequence | np.ndarray):
        found = repr(values)[:80] if isinstance(values, str | bytes | int | float | None) else type(values).__name__
        raise UserError(f"{place}: {name}: expected a list, a Polars Series or an array, found {found}")
    try:
        if name == "embedding":
            return _vectors(values, place)
        if TYPES.get(name) == pl.String:
            if isinstance(values, pl.Series) and values.dtype == pl.String:
                return values.alias(name)
            items = values.to_list() if isinstance(values, pl.Series) else values
            structs = isinstance(values, pl.Series) and values.dtype.is_nested()
            to_text = message_text if name == "messages" else json_text
            return pl.Series(name, [to_text(_without_nulls(i) if structs else i) for i in items], dtype=pl.String)
        return pl.Series(name, values, dtype=TYPES.get(name))
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise UserError(f"{place}: {name}: {str(error).splitlines()[0]}") from None


def json_text(value: Any) -> str | None:
    """Return text as it is, null and NaN as null, and any other value as JSON text."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    return json.dumps(value, ensure_ascii=False)


def message_text(value: Any) -> str | None:
    """Return a conversation as JSON text; a text that is not JSON becomes the user's one message."""
    text = json_text(value)
    if text is None or text.lstrip().startswith("["):
        return text
    return json.dumps([{"role": "user", "content": text}], ensure_ascii=False)


def _without_nulls(value: Any) -> Any:
    """Return a value of a Polars struct without its null fields: Polars gives every struct the fields of all others."""
    if isinstance(value, dict):
        return {key: _without_nulls(one) for key, one in value.items() if one is not None}
    return [_without_nulls(one) for one in value] if isinstance(value, list) else value


def _vectors(values: Any, place: str) -> pl.Series:
    """Return vectors, a null for a row without one, as an ``Array(Float32, d)``."""
    try:
        column = pl.Series("embedding", values, dtype=None if hasattr(values, "dtype") else pl.List(pl.Float32))
    except TypeError:
        raise UserError(
            f"{place}: embedding: expected a vector of numbers for each row, found {values!r:.80}"
        ) from None
    if column.dtype == pl.List:
        widths = column.list.len().drop_nulls().unique().sort().to_list() or [1]
        if len(widths) > 1:
            raise UserError(f"{place}: embedding: expected vectors of one length, found lengths {widths}")
        column = column.list.to_array(widths[0])
    if not isinstance(column.dtype, pl.Array):
        raise UserError(f"{place}: embedding: expected a vector of numbers for each row, found {column.dtype}")
    return column.cast(pl.Array(pl.Float32, column.dtype.size))
