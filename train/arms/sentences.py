"""The verdicts of a comparison in words."""

from typing import Any

import polars as pl

from schemas.errors import printable
from train.arms.directions import LOWER
from train.arms.verdicts import BETTER, FEW, LESS, MORE, NOTHING, SAME, UNEQUAL, WORSE
from train.evaluating.signed import signed


def sentences(rows: pl.DataFrame, *, short: bool = False, starts: bool = True) -> list[str]:
    """Return a sentence for each pair, split and scorer; those of arms first, then those to the start model.

    Args:
        rows: The rows of ``comparisons``.
        short: Whether to leave out everything but the verdict.
        starts: Whether to compare with the start model, too.
    """
    whole = rows.filter(pl.col("seed").is_null())
    several = whole["split"].n_unique() > 1
    to_start = rows.filter(pl.col("seed").is_not_null(), pl.col("versus_training_id").is_null())
    is_start = pl.col("versus").is_in(to_start["versus"].unique().implode())
    ordered = [whole.filter(~is_start), *([whole.filter(is_start)] if starts else [])]
    return [sentence(row, several=several, short=short) for part in ordered for row in part.iter_rows(named=True)]


def sentence(row: dict[str, Any], *, several: bool = True, short: bool = False) -> str:
    """Return the verdict of one row of all seeds in words.

    Args:
        row: A row of ``comparisons`` without a seed.
        several: Whether there are several splits, so that the row's is named.
        short: Whether to leave out everything but the verdict.
    """
    what = printable(f"{row['scorer']}{' on ' + row['split'] if several and row['split'] else ''}")
    if row["better"] == LOWER:
        what += ", lower is better"
    pair = printable(f"{row['arm']} against {row['versus']}")
    if row["difference"] is None:
        return f"{pair}, {what}: {NOTHING}"
    head = f"{pair}, {what}: {row['verdict']}, {signed(row['difference'])}"
    return head if short else head + _interval(row) + _new_prompts(row) + _more(row)


def interval(low: float | None, high: float | None) -> str:
    """Return the ends of an interval, such as ``+0.400 to +0.541``; ``no interval`` where there is none."""
    return "no interval" if low is None or high is None else f"{signed(low)} to {signed(high)}"


def p_text(p: float | None) -> str:
    """Return a p-value: ``0.003``, ``<0.001``, ``-`` for none."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def _interval(row: dict[str, Any]) -> str:
    if row["low"] is None:
        return f" ({row['why']})" if row["why"] else ""
    return f" ({interval(row['low'], row['high'])}; t over {row['seeds']} seeds, p {p_text(row['p_holm'])} after Holm)"


def _new_prompts(row: dict[str, Any]) -> str:
    if row["new_low"] is None or row["verdict"] in (UNEQUAL, NOTHING):
        return ""
    clear = row["new_low"] > 0 or row["new_high"] < 0
    told = row["verdict"] in (BETTER, WORSE, MORE, LESS) and not clear
    more = ", which is not clear of 0" if told else ""
    return f"; for new prompts {interval(row['new_low'], row['new_high'])}{more}"


def _more(row: dict[str, Any]) -> str:
    """Return what was to be seen where no difference was, and how many seeds would tell."""
    if row["verdict"] == FEW and row["more_seeds"]:
        return f"; {row['more_seeds']} seeds would tell a difference of this size"
    if row["verdict"] == FEW and row["seeds"] < 3:
        return "; 3 seeds are the fewest that tell anything, 5 are usual"
    if row["verdict"] == SAME and row["smallest"] is not None:
        return f"; {row['seeds']} seeds see {row['smallest']:.2g} or more (80% power)"
    if row["verdict"] == UNEQUAL:
        return f"; {row['arm']} learnt {row['tokens']:,} tokens, {row['versus']} {row['versus_tokens']:,}"
    return ""
