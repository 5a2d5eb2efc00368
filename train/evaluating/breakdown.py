"""Breaks the figures of an evaluation down by groups of prompts: where a training helped, and where it did harm."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from curate.algorithms.statistics.intervals import Span
from train.evaluating.groups import FACTS, prompt_groups
from train.evaluating.paired_values import change, first_model, paired_values, spans

COLUMNS = {
    "split": pl.String, "scorer": pl.String, "by": pl.String, "group": pl.String, "model": pl.String,
    "prompts": pl.Int64, "nulls": pl.Int64, "mean": pl.Float64, "base": pl.Float64, "difference": pl.Float64,
    "low": pl.Float64, "high": pl.Float64, "why": pl.String,
}  # fmt: skip


def break_down(rows: pl.DataFrame, keys: Sequence[str] | None = None) -> pl.DataFrame:
    """Compare the models of an evaluation within groups of prompts.

    Args:
        rows: Rows of an evaluation (``train.evaluating.paired_values.evaluation_rows``).
        keys: What to break down by, as in ``train.evaluating.groups.prompt_groups``.

    Returns:
        A row for each split, scorer, key (``by``), ``group`` and model: ``prompts`` counts those with a score and
        ``nulls`` those without, ``mean`` is the mean of the prompts' means, ``base`` that of the first model's,
        and ``difference`` the mean difference of the prompts that both have, with its 95% interval; null for the first
        model. ``why`` says why there is no interval: a group of few prompts has none.
    """
    facts = rows.unique("prompt_id", keep="first", maintain_order=True).select([*FACTS])
    groups = prompt_groups(facts, keys)
    first, changes = first_model(rows), spans(rows)
    cells = paired_values(rows).join(groups, on="prompt_id", how="inner", maintain_order="left_right")
    order = {
        name: {value: at for at, value in enumerate(table[name].unique(maintain_order=True))}
        for name, table in (("split", rows), ("scorer", rows), ("by", groups), ("model", rows))
    }
    parts = cells.partition_by("split", "scorer", "by", "place", "group", "model", as_dict=True)
    found = []
    for key, cell in parts.items():
        split, scorer, by, _, group, model = key
        figures = _cell(cell, model == first, changes[scorer])
        found.append((_places(order, key), (split, scorer, by, group, model, *figures)))
    rows_in_order = [row for _, row in sorted(found, key=lambda one: one[0])]
    return pl.DataFrame(rows_in_order, schema=COLUMNS, orient="row")


def _places(order: dict[str, dict[Any, int]], key: tuple[Any, ...]) -> tuple[int, ...]:
    """Return what sorts a cell: the order of its split, scorer and key, then its group's and its model's."""
    split, scorer, by, place, _, model = key
    return order["split"][split], order["scorer"][scorer], order["by"][by], place, order["model"][model]


def _cell(pairs: pl.DataFrame, first: bool, span: Span | None) -> tuple[Any, ...]:
    """Return the figures of a cell, in the order of ``COLUMNS``."""
    value = pairs["value"]
    counts = (value.count(), value.null_count(), value.mean())
    if first:
        return (*counts, None, None, None, None, None)
    told = change(pairs, span)
    return (*counts, pairs["base"].mean(), told.value, told.low, told.high, told.why or None)
