"""The table that compares the models of an evaluation."""

import polars as pl
from rich.text import Text

from cli.tables import NAMES, console, safe, table, without_columns, without_empty
from train.evaluating.comparison_words import CELLS, cells_of, notes_on, verdict_lines

SPARE = ("seen from", "answers")  # columns that a narrow terminal has no room for
TITLE = "Held-out prompts, the same scorers for every model"


def show_comparison(comparison: pl.DataFrame) -> None:
    """Print the table that compares an evaluation's models (``train.evaluating.comparison``)."""
    rows = comparison.to_dicts()
    if not rows:
        return
    failed = ["failed"] if any(row["nulls"] for row in rows) else []  # the table must fit in 100 columns
    change = f"change to {safe(rows[0]['model'], 20)} (95%)"
    columns = ["split", "scorer", "model", "answers", *failed, "mean", change, "p", "seen from"]
    shown: list[tuple] = []
    for row in rows:
        figures, nulls = cells_of(row), [row["nulls"]] if failed else []
        names = (safe(row[key], 40) for key in ("split", "scorer", "model"))
        shown.append((*names, row["n"], *nulls, *(figures[key] for key in CELLS)))
    out = console()
    kept, shown, left_out = without_columns(*without_empty(columns, shown, ""), out.width, SPARE)
    out.print(table(f"\n{TITLE}", kept, shown, NAMES))
    if left_out:
        out.print(Text(f"No room here for: {', '.join(reversed(left_out))}."), soft_wrap=True)
    notes = [line for line in notes_on(rows) if not (left_out and line.startswith("Seen from"))]
    for line in [*verdict_lines(rows), *notes]:
        out.print(Text(safe(line)))
