"""Puts text of a recipe, a row or a model into Markdown so that it is shown as it is and never becomes markup."""

import re
from collections.abc import Iterable, Sequence

from schemas.errors import printable

MARKS = re.compile(r"[\\`*_\[\]<>&|~#!$@{}^=]|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE)
TICKS = re.compile(r"`+")


def plain(text: str) -> str:
    """Return text on one line, with a backslash before each character that Markdown or HTML would read."""
    return MARKS.sub(lambda found: f"\\{found[0]}", printable(text).strip())


def code(text: str, *, cell: bool = False) -> str:
    """Return text on one line as code, for a paragraph or a list, or for a cell of a table."""
    text = printable(text).replace("|", "\\|") if cell else printable(text)
    ticks = "`" * (max((len(run) for run in TICKS.findall(text)), default=0) + 1)
    pad = " " if text[:1] == "`" or text[-1:] == "`" or not text.strip() else ""
    return f"{ticks}{pad}{text or ' '}{pad}{ticks}"


def block(text: str, language: str = "") -> str:
    """Return lines of text as a block of code."""
    lines = [printable(line) for line in text.splitlines()]
    ticks = "`" * max(3, *(len(run) + 1 for line in lines for run in TICKS.findall(line)), 3)
    return "\n".join([ticks + language, *lines, ticks])


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table of cells that are Markdown already."""
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]
