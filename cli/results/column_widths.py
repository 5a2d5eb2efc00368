"""Decides how wide each column of a result is, so that numbers and ids are whole and texts get what is left."""

import re
from collections.abc import Sequence
from enum import Enum

from rich.cells import cell_len

from cli.results.cells import Cell

GAP = 3  # characters between two columns
LEAST_TEXT, LEAST_JSON = 16, 10  # characters that a text, or JSON, keeps before the rows are shown one below another
ID = re.compile(r"^(?:.*_)?ids?$|^(path|file|stage|run|recipe)$", re.IGNORECASE)
A_HASH = re.compile(r"^(?:[a-z]+_)?[0-9a-f]{8,64}$")


class Kind(Enum):
    """The kind of a column's values: ids and numbers are never cut, texts are cut before JSON."""

    WHOLE = 0
    JSON = 1
    TEXT = 2


def kind_of_column(name: str, sql_type: str, cells: Sequence[Cell]) -> Kind:
    """Return what a column holds.

    Args:
        name: Its name.
        sql_type: DuckDB's name of its type, such as ``VARCHAR``.
        cells: The cells that are shown.
    """
    if sql_type == "JSON" or sql_type.startswith(("STRUCT", "MAP")) or sql_type.endswith("]"):
        return Kind.JSON
    if sql_type != "VARCHAR":
        return Kind.WHOLE
    texts = [cell.text for cell in cells if not cell.is_null]
    return Kind.WHOLE if ID.match(name) or (texts and all(A_HASH.match(text) for text in texts)) else Kind.TEXT


def column_widths(
    heads: Sequence[str], kinds: Sequence[Kind], columns: Sequence[Sequence[Cell]], room: int
) -> list[int] | None:
    """Return the width of each column, in characters of a terminal.

    Args:
        heads: The names of the columns. A head may be broken after an underscore.
        kinds: What each holds.
        columns: The cells of each column.
        room: The characters of a line.

    Returns:
        The widths; None if not even the narrowest columns fit, so that the rows are better shown one below another.
    """
    heads_least = [max(cell_len(part) for part in head_parts(head)) for head in heads]
    longest = [max((cell_len(cell.text) for cell in cells), default=0) for cells in columns]
    widths = [max(cell_len(head), wide, 1) for head, wide in zip(heads, longest, strict=True)]
    room -= GAP * (len(heads) - 1)
    for kind, floor in ((None, max(longest, default=0)), (Kind.TEXT, LEAST_TEXT), (Kind.JSON, LEAST_JSON)):
        least = [max(head, min(wide, floor), 1) for head, wide in zip(heads_least, longest, strict=True)]
        places = [at for at, one in enumerate(kinds) if kind in (None, one)]  # first of all, names are broken
        _narrow(widths, places, least, sum(widths) - room)
    return widths if sum(widths) <= room else None


def head_parts(head: str) -> list[str]:
    """Return the parts of a column's name that stay on one line: ``prompt_tokens`` is ``prompt_`` and ``tokens``."""
    return re.findall(r"[^_]*_+|[^_]+", head) or [head]


def head_lines(head: str, width: int) -> str:
    """Return a column's name, broken after underscores into lines of at most a width."""
    lines = [""]
    for part in head_parts(head):
        if lines[-1] and cell_len(lines[-1] + part) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(lines)


def _narrow(widths: list[int], places: list[int], least: list[int], over: int) -> None:
    """Take ``over`` characters from the columns at these places, from the widest first, down to their least."""
    while over > 0:
        able = [at for at in places if widths[at] > least[at]]
        if not able:
            return
        widest = max(widths[at] for at in able)
        largest = [at for at in able if widths[at] == widest]
        lower = max((widths[at] for at in able if widths[at] < widest), default=0)
        step = min(widest - lower, *(widths[at] - least[at] for at in largest), -(-over // len(largest)))
        for at in largest:
            taken = min(step, over)
            widths[at] -= taken
            over -= taken
