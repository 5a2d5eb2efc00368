"""The table of an evaluation's benchmarks."""

import polars as pl
from rich.text import Text

from cli.tables import console, safe, table
from train.evaluating.comparison_words import CELLS, cells_of, notes_on, number


def show_benchmarks(benchmarks: pl.DataFrame) -> None:
    """Print the table of an evaluation's benchmarks (``train.evaluating.benchmark_comparison``)."""
    rows = benchmarks.to_dicts()
    if not rows:
        return
    failed = ["failed"] if any(row["nulls"] for row in rows) else []  # the table must fit in 100 columns
    change = f"change to {rows[0]['model']} (95%)"
    columns = ["benchmark", "metric", "model", "answers", *failed, "lm-eval", "mean", change, "p", "seen from"]
    shown = []
    for row in rows:
        figures, nulls = cells_of(row), [row["nulls"] or 0] if failed else []
        names = (f"{row['benchmark']} {row['version']}".strip(), row["metric"], row["model"], row["n"] or 0)
        shown.append((*names, *nulls, number(row["harness"]), *(figures[key] for key in CELLS)))
    out = console()
    out.print(table("\nBenchmarks, asked by lm-evaluation-harness", columns, shown))
    for line in notes_on(rows):
        out.print(Text(safe(line)))
