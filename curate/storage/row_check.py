"""What a dataset's rows must be for readers that hand them on: a store may be a stranger's, and hold anything."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import polars as pl

from curate.storage.polars_types import polars_schema
from schemas.errors import printable
from schemas.json_text import parse
from schemas.rows import STAGE_TABLES

NEEDED = ("row_id", "prompt_id", "completion_id", "chosen_id", "rejected_id", "prompt", "completion", "chosen",
          "rejected", "label", "split")  # fmt: skip
LONGEST = 160  # characters of what is said of a value


class _Function(msgspec.Struct):
    name: str


class _Call(msgspec.Struct):
    function: _Function


class _Turn(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str
    name: str = ""
    tool_call_id: str = ""
    reasoning_content: str = ""
    tool_calls: list[_Call] = []


_PROMPT = msgspec.json.Decoder(list[_Turn])
_ANSWER = msgspec.json.Decoder(Annotated[list[_Turn], msgspec.Meta(min_length=1)])
_TURNS = {"prompt": _PROMPT, "completion": _ANSWER, "chosen": _ANSWER, "rejected": _ANSWER}
_VALUES: dict[str, tuple[type, ...]] = {"tools": (list,), "scores": (dict,), "metadata": (dict,)}


def wrong_columns(schema: Mapping[str, Any], table: str) -> str:
    """Return what is wrong with the columns of a dataset's file; empty if nothing is.

    Args:
        schema: The file's Polars schema.
        table: The table of ``schemas.rows`` that it is of.
    """
    for name, kind in polars_schema(STAGE_TABLES[table][0]).items():
        if name not in schema and name in NEEDED:
            return f"has no column {name!r}"
        if name in schema and schema[name] not in (kind, pl.Null()):
            return f"has a column {name!r} of the type {schema[name]}, expected {kind}"
    return ""


def wrong_row(frame: pl.DataFrame) -> str:
    """Return what is wrong with the first row that has messages, tools or scores which are none; empty if none has."""
    for name in (*_TURNS, *_VALUES):
        if name in frame.columns:
            for row_id, text in zip(frame["row_id"], frame[name], strict=True):
                problem = _wrong_value(name, text)
                if problem:
                    return f"has a row {printable(str(row_id))[:LONGEST]} whose {name} {problem}"
    return ""


def _wrong_value(name: str, text: str | None) -> str:
    try:
        if name in _TURNS:
            _TURNS[name].decode(text if text is not None else "null")
        elif text is not None and not isinstance(parse(text), (*_VALUES[name], type(None))):
            return f"is no {'list' if name == 'tools' else 'mapping'}"
    except (ValueError, RecursionError) as error:  # msgspec's errors are of ValueError
        return f"cannot be read ({printable(str(error))[:LONGEST]})"
    return ""
