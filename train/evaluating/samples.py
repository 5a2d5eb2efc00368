"""Best of k answers, and pass@k, of an evaluation that has several answers to each prompt."""

from functools import cache
from math import comb
from typing import Any

import numpy as np
import polars as pl

from train.evaluating.paired_values import IS_VERDICT, change, first_model, spans, with_base, yes_or_no_scorers

PASS, BEST = "pass@k", "best of k"
COLUMNS = {
    "split": pl.String, "scorer": pl.String, "model": pl.String, "measure": pl.String, "k": pl.Int64,
    "prompts": pl.Int64, "mean": pl.Float64, "base": pl.Float64, "difference": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "why": pl.String,
}  # fmt: skip


def best_of_k(rows: pl.DataFrame) -> pl.DataFrame:
    """Return what the best of k answers to a prompt scores, for k = 1, 2, 4 and so on up to all n.

    It is the mean over prompts of the expected maximum of k scores drawn from the prompt's n without replacement,
    which is unbiased for k fresh answers. Where scores are 0 or 1 that is pass@k as Chen et al. estimate it (2021,
    arXiv 2107.03374).

    Args:
        rows: Rows of an evaluation (``train.evaluating.paired_values.evaluation_rows``).

    Returns:
        A row for each split, scorer, model and k: ``measure`` is ``pass@k`` or ``best of k``, ``prompts`` counts those
        with at least k scores; the others are left out. ``base``, ``difference`` and its 95% interval compare with the
        first model; null for it. Empty where no prompt has two different answers: greedy ones are all the same.
    """
    rows = rows.filter(~IS_VERDICT)
    answers = rows.group_by("model", "prompt_id").agg(pl.col("response").n_unique())
    most = int(rows["sample_index"].max() or 0) + 1 if rows.height else 1  # ty: ignore[invalid-argument-type]
    if most < 2 or not (answers["response"] > 1).any():
        return pl.DataFrame(schema=COLUMNS)
    first, changes, passes = first_model(rows), spans(rows), yes_or_no_scorers(rows)
    known = rows.drop_nulls("value").group_by("split", "scorer", "model", "prompt_id", maintain_order=True)
    scores = known.agg(pl.col("cluster").first(), scores=pl.col("value").sort())
    found: list[tuple[Any, ...]] = []
    for k in sizes(most):
        best = scores.filter(pl.col("scores").list.len() >= k)
        values = [expected_maximum(np.asarray(held), k) for held in best["scores"]]
        best = best.with_columns(value=pl.Series(values, dtype=pl.Float64))
        cells = with_base(best, first).group_by("split", "scorer", "model", maintain_order=True)
        for (split, scorer, model), cell in cells:
            told = None if model == first else change(cell, changes[scorer])
            row = (split, scorer, model, PASS if scorer in passes else BEST, k, cell.height, cell["value"].mean())
            more = (cell["base"].mean(), told.value, told.low, told.high, told.why or None) if told else (None,) * 5
            found.append((*row, *more))
    table = pl.DataFrame(found, schema=COLUMNS, orient="row")
    order = rows.select("split", "scorer", "model").unique(maintain_order=True).with_row_index("at")
    placed = table.join(order, on=["split", "scorer", "model"], how="left", maintain_order="left", nulls_equal=True)
    return placed.sort(pl.col("at").min().over("split", "scorer"), "at", "k", maintain_order=True).drop("at")


def sizes(n: int) -> list[int]:
    """Return 1, 2, 4 and so on below ``n``, and ``n``."""
    return [*(2**power for power in range(n.bit_length()) if 2**power < n), n]


def expected_maximum(scores: np.ndarray, k: int) -> float:
    """Return the expected maximum of k of the scores, drawn without replacement.

    The i-th smallest of n is the maximum of C(i - 1, k - 1) of the C(n, k) draws.

    Args:
        scores: The scores [n], in ascending order.
        k: From 1 to n.
    """
    return float(_shares(len(scores), k) @ scores)


@cache
def _shares(n: int, k: int) -> np.ndarray:
    """Return the share of the draws of k of n whose maximum is each of the n, in ascending order."""
    return np.array([comb(i, k - 1) / comb(n, k) for i in range(n)])
