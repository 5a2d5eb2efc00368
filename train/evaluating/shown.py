"""The words and figures of an evaluation's further tables, for a terminal and for a card."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from curate.storage.stage import Stage
from schemas.answer_text import answer_of
from train.evaluating.paired_values import IS_VERDICT
from train.evaluating.signed import signed

TOO_FEW, HALF = "too few", 0.5
CHANGE = "change (95%)"
BY = "break_down.json"  # beside an evaluation's tables: what it was last shown by, which changes no row of it


class Shown(NamedTuple):
    """A table that a person reads; its texts may hold anything that a row does.

    Attributes:
        title: The line above it.
        columns: The heads of the columns.
        rows: The cells, texts and numbers.
        notes: Lines below it.
    """

    title: str
    columns: list[str]
    rows: list[tuple[Any, ...]]
    notes: list[str]


def show_by(stage: Stage, keys: list[str] | None) -> None:
    """Note by what an evaluation is broken down where it is shown; None for what is found."""
    if keys != shown_keys(stage):
        stage.rewrite(BY, json.dumps(keys))


def shown_keys(stage: Stage) -> list[str] | None:
    """Return by what an evaluation is broken down where it is shown; None for what is found."""
    text = stage.text(BY)
    return None if text is None else json.loads(text)


def win_rates_shown(found: pl.DataFrame, judges: list[str]) -> Shown | None:
    """Return the table of ``train.evaluating.win_rate.win_rates``; None of no rows.

    Args:
        found: Its rows.
        judges: The names of the models that judge.
    """
    if found.is_empty():
        return None
    rows, notes = [], []
    for row in found.iter_rows(named=True):
        counts = (row["won"], row["tied"], row["lost"], row["not_compared"])
        rate = share(row["win_rate"], row["low"], row["high"])
        rows.append((row["split"], row["model"], *counts, rate))
        notes.append(f"{row['model']} on {row['split']}: {row['verdict']}; {_flips(row['flips'])}; {_longer(row)}.")
        if row["not_compared"]:
            notes.append(f"{row['not_compared']:,} were not compared, most often as: {row['why'] or 'no reason'}")
    if own := [name for name in judges if name in (*found["model"], *found["against"])]:
        notes.append(f"{' and '.join(own)} judges answers of its own, which models prefer.")
    judge = " and ".join(judges) or "a judge"
    title = f"Answers against those of {found['against'][0]}, as {judge} judges in both orders"
    return Shown(title, ["split", "model", "won", "tied", "lost", "failed", "win rate (95%)"], rows, notes)


def breakdown_shown(found: pl.DataFrame, most: int) -> Shown | None:
    """Return the table of ``train.evaluating.breakdown.break_down`` for its first scorer; None of no rows.

    Args:
        found: Its rows.
        most: The most rows.
    """
    if found.is_empty():
        return None
    scorers = found["scorer"].unique(maintain_order=True).to_list()
    compared, first = _of_first_scorer(found)
    cells = [
        (
            row["split"],
            f"{row['by'].removeprefix('metadata.')}: {row['group']}",
            row["prompts"],
            row["model"],
            _mean(row["mean"]),
            change_text(row),
        )
        for row in compared.head(most).iter_rows(named=True)
    ]
    notes = _more(compared.height - most, scorers[1:], "breakdown()")
    if (kept := compared["low"].is_not_null().sum()) > 1:
        notes.append(f"Each interval is of its group alone: of {kept:,}, {kept / 20:.1f} would miss by chance.")
    notes += ["Lengths are the characters of the prompt."] if "length" in compared["by"] else []
    columns = ["split", "group", "prompts", "model", "mean", CHANGE]
    return Shown(f"{scorers[0]} by groups of prompts, changes from {first}", columns, cells, notes)


def samples_shown(found: pl.DataFrame, most: int) -> Shown | None:
    """Return the table of ``train.evaluating.samples.best_of_k`` for its first scorer; None of no rows.

    Args:
        found: Its rows.
        most: The most rows.
    """
    if found.is_empty():
        return None
    scorers = found["scorer"].unique(maintain_order=True).to_list()
    rows = found.filter(pl.col("scorer") == scorers[0])
    cells = [
        (row["split"], row["model"], row["k"], row["prompts"], _mean(row["mean"]), change_text(row))
        for row in rows.head(most).iter_rows(named=True)
    ]
    measure = rows["measure"][0]
    columns = ["split", "model", "k", "prompts", measure, CHANGE]
    notes = _more(rows.height - most, scorers[1:], "samples")
    title = f"{scorers[0]}: {measure}, {rows['k'].max()} answers to each prompt, changes from {rows['model'][0]}"
    return Shown(title, columns, cells, notes)


def changes_shown(found: pl.DataFrame) -> Shown | None:
    """Return the table of ``train.evaluating.changed.changed_counts`` without verdicts; None of nothing compared."""
    found = found.filter(~IS_VERDICT)  # the table of win rates has them
    if found.is_empty() or not (found["won"] + found["lost"] + found["same"]).sum():
        return None
    cells = []
    unknown = ["no score"] if found["unknown"].sum() else []
    for row in found.filter(pl.sum_horizontal("won", "lost", "same") > 0).iter_rows(named=True):
        same = f"{row['same']:,}"
        if row["right"] is not None:
            same += f" ({row['right']:,} right)"
        counts = (row["won"], row["lost"], same, *([row["unknown"]] if unknown else []))
        cells.append((row["split"], row["scorer"], row["model"], *counts))
    columns = ["split", "scorer", "model", "up", "down", "the same", *unknown]
    return Shown(f"Prompts whose score went up or down from {found['against'][0]}'s", columns, cells, [])


def share(value: float | None, low: float | None, high: float | None) -> str:
    """Return a share with its interval, as text."""
    if value is None:
        return "-"
    return f"{value:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")


def change_text(row: Mapping[str, Any]) -> str:
    """Return a difference with its interval as text, or with the reason why it has none."""
    if row["difference"] is None:
        return ""
    if row["low"] is not None:
        return f"{signed(row['difference'])} ({signed(row['low'])} to {signed(row['high'])})"
    why = TOO_FEW if row["why"].startswith(TOO_FEW) else "no interval"
    return f"{signed(row['difference'])} ({why})"


def answer_shown(text: str | None) -> str:
    """Return an answer as an example of it is shown: without its reasoning trace, if it has an answer beside it."""
    if text is None or not text.strip():
        return "(no text)" if text is not None else "(no answer)"
    answer = answer_of(text)[1].strip()
    return answer or f"(no answer after the trace) {text}"


def _of_first_scorer(found: pl.DataFrame) -> tuple[pl.DataFrame, str]:
    """Return the first scorer's rows of the models that are compared (of all, where none is), and the first model."""
    rows = found.filter(pl.col("scorer") == found["scorer"][0])
    first = rows["model"][0]
    compared = rows.filter(pl.col("model") != first)
    return (compared if compared.height else rows), first


def _more(left: int, scorers: list[str], name: str) -> list[str]:
    """Return a note on what is not shown, and where it is."""
    parts = [f"{left:,} more rows"] if left > 0 else []
    parts += [f"the same for {', '.join(scorers)}"] if scorers else []
    return [f"In Python, EvaluationResult.{name} has {' and '.join(parts)}."] if parts else []


def _flips(count: int) -> str:
    if count == 0:
        return "no verdict changed with the order"
    return f"{count:,} verdict{'s' if count > 1 else ''} changed with the order, which make a tie"


def _longer(row: Mapping[str, Any]) -> str:
    """Return how often the longer answer won, as text."""
    if row["longer_won"] is None:
        return "no comparison of answers of different length was decided"
    rate = share(row["longer_won"], row["longer_low"], row["longer_high"])
    bias = ", so the judge may prefer length" if (row["longer_low"] or 0) > HALF else ""
    return f"of {row['decided']:,} decided comparisons the longer answer won {rate}{bias}"


def _mean(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}" if abs(value) < 1e9 else f"{value:.3g}"
