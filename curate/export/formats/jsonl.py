"""JSON Lines: messages, tools, scores and metadata are JSON, not text."""

import shlex
from typing import Any

import msgspec

from curate.export.about import About
from curate.export.formats._columns import KINDS as KINDS  # the types that it holds
from curate.export.formats._columns import MAPPINGS, TURNS, typed

SINK = "jsonl"
_JSON = frozenset((*TURNS, *MAPPINGS))


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the types of the columns, for the card."""
    return typed(names)


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the row; its JSON goes into the line as the store has it."""
    made = {name: value if value is None or name not in _JSON else msgspec.Raw(value) for name, value in one.items()}
    return made, ()


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the line that reads the first row."""
    return f"head -n 1 {shlex.quote(about.first_file)}"
