"""Prints answers of two models side by side where the verdict changed; one below the other in a pipe."""

import polars as pl
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.tables import console, safe
from train.evaluating.shown import answer_shown

LONGEST = 600  # characters of an answer
NARROW = 60  # columns of a terminal that has no room for two answers
WORDS = {"won": "up", "lost": "down"}


def show_examples(examples: pl.DataFrame) -> None:
    """Print examples (the rows of ``train.evaluating.changed.changed_examples``)."""
    if examples.is_empty():
        return
    out = console()
    scorer = safe(examples["scorer"][0], 40)
    out.print(Text(f"\nAnswers whose {scorer} changed, drawn by the seed"), soft_wrap=not out.is_terminal)
    side_by_side = out.is_terminal and out.width >= NARROW
    for row in examples.iter_rows(named=True):
        head = f"\n{safe(row['split'], 40)}, {WORDS[row['verdict']]}: {safe(row['prompt'], 300)}"
        out.print(Text(head, style="bold"), soft_wrap=not out.is_terminal)
        answers = [
            (f"{row['first_model']} {_value(row['first_value'])}", answer_shown(row["first_response"])),
            (f"{row['model']} {_value(row['value'])}", answer_shown(row["response"])),
        ]
        (_columns if side_by_side else _lines)(out, answers)


def _columns(out: Console, answers: list[tuple[str, str]]) -> None:
    shown = Table(show_edge=False, pad_edge=False, header_style="bold")
    for head, _ in answers:
        shown.add_column(Text(safe(head, 40)), ratio=1, overflow="fold")
    shown.add_row(*(Text(safe(answer, LONGEST)) for _, answer in answers))
    out.print(shown)


def _lines(out: Console, answers: list[tuple[str, str]]) -> None:
    for head, answer in answers:
        out.print(Text(f"  {safe(head, 40)}: {safe(answer, LONGEST)}"), soft_wrap=not out.is_terminal)


def _value(value: float | None) -> str:
    return "(no score)" if value is None else f"({value:.3g})"
