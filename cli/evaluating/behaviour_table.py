"""The table of how the models of an evaluation answer, and the warnings of damage."""

import polars as pl
from rich.text import Text

from cli.tables import console, safe, table
from schemas.errors import printable
from train.damage.signs import percent
from train.evaluating.behaviour import warning_lines

TITLE = "How they answer, whatever the score"
COLUMNS = ["split", "model", "words", "tokens", "cut off", "one word", "differ", "most common", "perplexity"]


def show_behaviour(behaviour: pl.DataFrame) -> None:
    """Print the table of figures beside the scores (``train.evaluating.behaviour.behaviour``)."""
    if behaviour.is_empty():
        return
    rows = []
    for row in behaviour.iter_rows(named=True):
        shares = [row["cut"], row["one_word"], row["distinct"], row["common"]]
        figures = [_number(row["words"]), _number(row["tokens"]), *("-" if s is None else percent(s) for s in shares)]
        rows.append((row["split"], row["model"], *figures, _number(row["perplexity"])))
    empty = [i for i, row in enumerate(rows[0]) if all(one[i] == "-" for one in rows)]
    kept = [i for i in range(len(COLUMNS)) if i not in empty]
    shown = [tuple(row[i] for i in kept) for row in rows]
    console().print(table(f"\n{TITLE}", [COLUMNS[i] for i in kept], shown))


def show_warnings(warnings: pl.DataFrame) -> None:
    """Print the warnings of an evaluation, one a line, below its tables."""
    out = console()
    for line in warning_lines(warnings):
        out.print(Text.assemble(("warning:", "yellow"), " ", printable(safe(line, 1000))), soft_wrap=True)


def _number(value: float | None) -> str:
    return (
        "-"
        if value is None
        else f"{value:,.1f}"
        if value < 1000
        else f"{value:,.0f}"
        if value < 1e6
        else f"{value:.2g}"
    )
