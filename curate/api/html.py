"""A table for a notebook, as HTML. Every text is escaped: a row may hold anything."""

from html import escape

import polars as pl

SHOWN = 20  # rows


def html_table(title: str, rows: pl.DataFrame) -> str:
    """Return a titled table of the first rows, with a note of how many more there are."""
    head = "".join(f"<th>{escape(name)}</th>" for name in rows.columns)
    cells = (
        "<tr>" + "".join(f"<td>{escape(_text(value))}</td>" for value in row) + "</tr>" for row in rows[:SHOWN].rows()
    )
    more = f"<p>and {rows.height - SHOWN:,} more rows</p>" if rows.height > SHOWN else ""
    return f"<p><b>{escape(title)}</b></p><table><tr>{head}</tr>{''.join(cells)}</table>{more}"


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
