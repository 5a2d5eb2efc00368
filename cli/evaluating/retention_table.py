"""The table of what the models of an evaluation have kept of the start model."""

from typing import Any

import polars as pl
from rich.text import Text

from cli.tables import NAMES, console, figure, safe, table


def show_retention(changes: pl.DataFrame, damage: dict[str, Any]) -> None:
    """Print the table of perplexities on general texts (``train.evaluating.retention_changes``).

    Args:
        changes: The table.
        damage: What the evaluation's manifest says of it: ``start``, and the models ``without`` losses.
    """
    out = console()
    if not changes.is_empty():
        rows = []
        for row in changes.iter_rows(named=True):
            failed = [f"{row['failed']:,} not read"] if row["failed"] else []
            rows.append(
                (row["on"], row["model"], row["n"], figure(row["perplexity"], 2), "; ".join([*failed, *_change(row)]))
            )
        columns = ["on", "model", "texts", "perplexity", f"change to {damage.get('start')} (95% interval)"]
        out.print(
            table("\nWhat is kept: perplexity of text that has nothing to do with the training", columns, rows, NAMES)
        )
    without = damage.get("without") or {}
    if without:
        names = ", ".join(f"{name} (engine {engine})" for name, engine in without.items())
        line = f"Retention is not measured for {names}: only models of the engine transformers give losses."
        out.print(Text(safe(line)), soft_wrap=True)


def _change(row: dict[str, Any]) -> list[str]:
    if row["change"] is None:
        return [row["why"]] if row["why"] else []
    interval = "" if row["low"] is None else f" ({row['low']:+.1%} to {row['high']:+.1%})"
    return [f"{row['change']:+.1%}{interval}"]
