"""Tables for a terminal and for a notebook. A row may hold anything: markup and control characters have no effect."""

from html import escape

import polars as pl

from schemas.errors import printable

SHOWN = 20  # rows


def html_table(title: str, rows: pl.DataFrame) -> str:
    """Return a titled table of the first rows, with a note of how many more there are."""
    head = "".join(f"<th>{escape(printable(name))}</th>" for name in rows.columns)
    rows_of_cells = ((escape(printable(_text(value))) for value in row) for row in rows[:SHOWN].rows())
    cells = ("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows_of_cells)
    more = f"<p>and {rows.height - SHOWN:,} more rows</p>" if rows.height > SHOWN else ""
    return f"<p><b>{escape(printable(title))}</b></p><table><tr>{head}</tr>{''.join(cells)}</table>{more}"


def shown(rows: pl.DataFrame) -> str:
    """Return a table as Polars prints it, without control characters."""
    return str(rows.rename(printable).with_columns(pl.col(pl.String).map_elements(printable, return_dtype=pl.String)))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
