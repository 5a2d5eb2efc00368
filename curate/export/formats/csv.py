"""CSV: messages, tools, scores and metadata are JSON text in their fields; an empty field is a missing value."""

import shlex
from typing import Any

from curate.export.about import About
from curate.export.formats._columns import KINDS as KINDS  # the types that it holds
from curate.export.formats._columns import typed

SINK = "csv"
EMPTY = "texts that are empty, which CSV cannot tell from missing ones"


def columns(kind: str, names: list[str], form: bool = False) -> dict[str, Any]:
    """Return the columns, in their order."""
    return typed(names)


def row(kind: str, one: dict[str, Any], form: bool = False) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    """Return the row."""
    lost = (EMPTY,) if any(value == "" for value in one.values()) else ()
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in one.items()}, lost


def files(about: About) -> dict[str, str]:
    """Return no further files."""
    return {}


def train(about: About) -> str:
    """Return the line that shows the first rows."""
    return f"head -n 3 {shlex.quote(about.first_file)}"
