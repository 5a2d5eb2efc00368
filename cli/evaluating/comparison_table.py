"""The table that compares the models of an evaluation."""

import polars as pl
from rich.text import Text

from cli.tables import console, safe, table
from train.evaluating.comparison_words import CELLS, cells_of, notes_on

NAMES = ("split", "scorer", "model")
TITLE = "Held-out prompts, the same scorers for every model"


def show_comparison(comparison: pl.DataFrame) -> None:
    """Print the table that compares an evaluation's models (``train.evaluating.comparison``)."""
    rows = comparison.to_dicts()
    failed = ["failed"] if any(row["nulls"] for row in rows) else []  # the table must fit in 100 columns
    change = f"change to {rows[0]['model']} (95%)"
    columns = ["split", "scorer", "model", "answers", *failed, "mean", change, "p", "seen from"]
    shown = []
    for row in rows:
        figures, nulls = cells_of(row), [row["nulls"]] if failed else []
        shown.append((*(row[key] for key in NAMES), row["n"], *nulls, *(figures[key] for key in CELLS)))
    out = console()
    out.print(table(f"\n{TITLE}", columns, shown))
    for line in notes_on(rows):
        out.print(Text(safe(line)))
