"""The table of how the models of an evaluation answer, and the warnings of damage."""

import polars as pl
from rich.text import Text

from cli.tables import NAMES, console, safe, table, without_columns
from schemas.errors import printable
from train.damage.signs import percent
from train.evaluating.behaviour import warning_lines

TITLE = "How they answer, whatever the score"
NOTE = "differ: different answers, of the prompts'; most common: prompts that get the most common answer"
READ = "; perplexity: the answers', to {start}"
SPARE = ("tokens", "one word", "cut off")  # columns that a narrow terminal has no room for
COLUMNS = ["split", "model", "words", "tokens", "cut off", "one word", "differ", "most common", "perplexity"]


def show_behaviour(behaviour: pl.DataFrame, start: str | None = None) -> None:
    """Print the table of figures beside the scores (``train.evaluating.behaviour.behaviour``).

    Args:
        behaviour: The table.
        start: The start model's name, where its perplexities are known.
    """
    if behaviour.is_empty():
        return
    rows = []
    for row in behaviour.iter_rows(named=True):
        shares = [row["cut"], row["one_word"], row["distinct"], row["common"]]
        figures = [_number(row["words"]), _number(row["tokens"]), *("-" if s is None else percent(s) for s in shares)]
        rows.append((safe(row["split"], 40), safe(row["model"], 40), *figures, _number(row["perplexity"])))
    empty = [i for i, row in enumerate(rows[0]) if all(one[i] == "-" for one in rows)]
    kept = [i for i in range(len(COLUMNS)) if i not in empty]
    shown = [tuple(row[i] for i in kept) for row in rows]
    out = console()
    columns, shown, left_out = without_columns([COLUMNS[i] for i in kept], shown, out.width, SPARE)
    out.print(table(f"\n{TITLE}", columns, shown, NAMES))
    read = READ.format(start=safe(start, 40)) if "perplexity" in columns and start else ""
    without = f" (no room here for: {', '.join(reversed(left_out))})" if left_out else ""
    out.print(Text(f"{NOTE}{read}.{without}"))


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
