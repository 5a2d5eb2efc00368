"""Prints an evaluation's further tables: changed prompts, win rates, best of k, and groups of prompts."""

from rich.text import Text

from cli.tables import NAMES, console, safe, table
from train.evaluating.shown import Shown

WIDTHS = {"split": 10, "scorer": 14, "model": 12, "group": 26}  # characters of columns of names: a table fits in 100


def show_tables(tables: list[Shown]) -> None:
    """Print tables, each with its notes."""
    out = console()
    for shown in tables:
        widths = [WIDTHS.get(column, 40) for column in shown.columns]
        rows = [
            tuple(safe(cell, width) if isinstance(cell, str) else cell for cell, width in zip(row, widths, strict=True))
            for row in shown.rows
        ]
        columns = [safe(column, 40) for column in shown.columns]
        out.print(table(f"\n{safe(shown.title, 90)}", columns, rows, NAMES))
        for note in shown.notes:
            out.print(Text(safe(note)), soft_wrap=not out.is_terminal)
