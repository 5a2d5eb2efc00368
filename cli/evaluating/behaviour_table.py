"""The table of how the models of an evaluation answer, and the warnings of damage."""

import polars as pl
from rich.text import Text

from cli.tables import NAMES, console, figure, safe, table, without_columns, without_empty
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
        figures = [
            figure(row["words"], 1),
            figure(row["tokens"], 1),
            *("-" if s is None else percent(s) for s in shares),
        ]
        rows.append((safe(row["split"], 40), safe(row["model"], 40), *figures, figure(row["perplexity"], 1)))
    out = console()
    columns, rows, left_out = without_columns(*without_empty(COLUMNS, rows, "-"), out.width, SPARE)
    out.print(table(f"\n{TITLE}", columns, rows, NAMES))
    read = READ.format(start=safe(start, 40)) if "perplexity" in columns and start else ""
    without = f" (no room here for: {', '.join(reversed(left_out))})" if left_out else ""
    out.print(Text(f"{NOTE}{read}.{without}"))


def show_warnings(warnings: pl.DataFrame) -> None:
    """Print the warnings of an evaluation, one a line, below its tables."""
    out = console()
    for line in warning_lines(warnings):
        out.print(Text.assemble(("warning:", "yellow"), " ", printable(safe(line, 1000))), soft_wrap=True)
