"""Parquet for the hub: messages and tools are lists of JSON values, so that no message gets the keys of another."""

import json
from typing import Any

import msgspec

from curate.export.about import About
from curate.export.formats._columns import KINDS as KINDS  # the types that it holds
from curate.export.formats._columns import TURNS, typed

SINK = "parquet"
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns."""
    return typed(names)


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the row, in which each message is its JSON text as the store has it; nothing is lost."""
    return {name: items(value) if name in TURNS else value for name, value in one.items()}, ()


def items(text: str | None) -> list[str] | None:
    """Return the texts of the values in a JSON list, each as it is written there."""
    return None if text is None else [bytes(item).decode() for item in _ITEMS.decode(text)]


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the line that loads the folder."""
    return f"python -c 'from datasets import load_dataset; print(load_dataset({quoted(about.folder.name)}))'"


def quoted(text: str) -> str:
    """Return a text as Python writes it, within single quotes of a shell."""
    return json.dumps(text).replace("'", "\\u0027")
