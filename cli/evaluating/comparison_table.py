"""The table that compares the models of an evaluation."""

import polars as pl

from cli.tables import console, table


def show_comparison(comparison: pl.DataFrame) -> None:
    """Print the table that compares an evaluation's models (``train.evaluating.comparison``)."""
    rows = []
    for row in comparison.iter_rows(named=True):
        change = "" if row["difference"] is None else f"{row['difference']:+.3f}"
        if row["low"] is not None:
            change += f" ({row['low']:+.3f} to {row['high']:+.3f})"
        mean = "-" if row["mean"] is None else f"{row['mean']:.3f}"
        rows.append((row["split"], row["scorer"], row["model"], row["n"], row["nulls"], mean, change))
    columns = ["split", "scorer", "model", "answers", "failed", "mean", f"change to {rows[0][2]} (95% interval)"]
    console().print(table("\nHeld-out prompts, the same scorers for every model", columns, rows))
