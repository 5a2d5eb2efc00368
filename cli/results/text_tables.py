"""Results as tables of text: columns that fit the line, a grid, Markdown, or each row's values below one another."""

from collections.abc import Sequence
from typing import Any, Literal

from rich import box
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.results.cells import Cell, cell
from cli.results.column_widths import column_widths, head_lines, kind_of_column

NULL, HEAD = "dim", "bold"
SHOWN_LINES = 3  # of a value, where a table does not fit


class Result:
    """The first rows of a query's result, as cells.

    Attributes:
        heads: The names of the columns.
        kinds: What each column holds.
        rows: The cells, row by row.
    """

    def __init__(self, heads: Sequence[str], types: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Take the names and the types of the columns, as DuckDB has them, and the values of the rows."""
        self.heads = [cell(head).text for head in heads]
        self.rows = [[cell(value) for value in row] for row in rows]
        self.columns = [[row[at] for row in self.rows] for at in range(len(heads))]
        self.kinds = [kind_of_column(*one) for one in zip(self.heads, types, self.columns, strict=True)]


def as_table(result: Result, width: int, *, grid: bool = False) -> RenderableType:
    """Return the table that fits a line; its rows one below another where it can't.

    Numbers and ids are whole; texts are cut first, then JSON.

    Args:
        result: What to show.
        width: The characters of a line.
        grid: Whether there are lines around every column.
    """
    room = width - (4 if grid else 0)
    widths = column_widths(result.heads, result.kinds, result.columns, room)
    if widths is None:
        return as_records(result, width, most_lines=SHOWN_LINES)
    made = Table(
        box=box.ROUNDED if grid else box.HEAVY_HEAD, show_edge=grid, pad_edge=grid, header_style=HEAD, show_lines=False
    )
    for head, wide, cells in zip(result.heads, widths, result.columns, strict=True):
        is_number = any(one.is_number for one in cells)
        side: Literal["left", "right"] = "right" if is_number else "left"
        made.add_column(Text(head_lines(head, wide)), justify=side, width=wide, overflow="ellipsis", no_wrap=True)
    for row in result.rows:
        made.add_row(*(_text(one) for one in row))
    return made


def as_records(result: Result, width: int, most_lines: int | None = None) -> RenderableType:
    """Return each row as lines of a column's name and its value.

    Args:
        result: What to show.
        width: The characters of a line.
        most_lines: The most lines of a value, whose own line ends are shown as arrows; None for whole values.
    """
    wide = max((cell_len(head) for head in result.heads), default=0)
    room = max(width - wide - 2, 10)
    parts: list[RenderableType] = []
    for number, row in enumerate(result.rows, 1):
        parts.append(Text(f"─ row {number} ".ljust(min(width, 40), "─"), style="dim"))
        grid = Table.grid(padding=(0, 2))
        grid.add_column(width=wide, style=HEAD)
        grid.add_column(width=room, overflow="fold")
        for head, one in zip(result.heads, row, strict=True):
            grid.add_row(Text(head), _in_lines(one, None if most_lines is None else most_lines * room))
        parts.append(grid)
    return Group(*parts)


def as_markdown(result: Result) -> str:
    """Return the result as a table of Markdown; nothing is cut, and no value is markup."""
    numbers = [any(one.is_number for one in cells) for cells in result.columns]
    rules = ["--:" if number else "---" for number in numbers]
    rows = [["" if one.is_null else _escaped(one.text) for one in row] for row in result.rows]
    lines = [[_escaped(head) for head in result.heads], rules, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return a text in which Markdown and HTML see no markup."""
    for mark in "\\`*_[]<>|#":
        text = text.replace(mark, f"\\{mark}")
    return text


def _in_lines(one: Cell, most: int | None) -> Text:
    """Return a value on several lines: whole, or the first so many characters of it."""
    if most is None:
        return Text(one.whole) if one.whole else _text(one)
    return _text(one._replace(text=f"{one.text[: most - 1]}…") if len(one.text) > most else one)


def _text(one: Cell) -> Text:
    return Text(one.text, style=NULL if one.is_null else "")
