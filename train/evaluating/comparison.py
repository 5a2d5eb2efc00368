"""Compares the models of an evaluation: means, differences to the first model, and how sure these are."""

from typing import Any

import polars as pl

from curate.algorithms.statistics.holm import holm
from curate.algorithms.statistics.intervals import clustered_interval
from curate.algorithms.statistics.smallest_effect import smallest_effect
from curate.storage.stage import Stage
from train.evaluating.own_rows import scored_rows

KEYS = ("split", "scorer")
SHARES = (-1.0, 1.0)  # the range of a difference of two scores from 0 to 1
COMPARED = {
    "difference": pl.Float64, "low": pl.Float64, "high": pl.Float64, "prompts": pl.Int64, "families": pl.Int64,
    "freedom": pl.Float64, "p": pl.Float64, "p_holm": pl.Float64, "tests": pl.Int64, "smallest": pl.Float64,
    "why": pl.String,
}  # fmt: skip


def compare_models(stage: Stage) -> pl.DataFrame:
    """Compare the models of an evaluation, each with the first one (``compare_answers``).

    Args:
        stage: A stage with the table ``evaluations``.
    """
    return compare_answers(scored_rows(stage.read("evaluations")))


def compare_answers(rows: pl.DataFrame) -> pl.DataFrame:
    """Compare models by the scores of their answers, each model with the first one.

    The interval is Student's t over the families of the prompts for which both models have a score, the differences of
    a family summed before they are squared (``curate.algorithms.statistics.intervals``). A prompt without a family, as
    in the rows of earlier versions, is one of its own. Where all values of a scorer are from 0 to 1, the interval stays
    in -1..1, and has a width where all differences are equal.

    Args:
        rows: Rows of the table ``evaluations``.

    Returns:
        A row for each split, scorer and model, in the recipe's order. ``n`` counts the scored answers, ``nulls`` those
        that have no score; ``mean`` is over the scored answers. ``difference`` is the mean over prompts of the
        difference to the first model of the model's mean over its samples; ``low`` and ``high`` are the ends of its
        95% interval, of so many ``prompts`` and ``families``, with ``freedom`` degrees of freedom. ``p`` is the p-value
        of no difference, and ``p_holm`` the same, corrected for all ``tests`` of the table (Holm). ``smallest`` is the
        smallest true difference that such an evaluation sees with 80% power. All these are null for the first model,
        and those that are not defined for another one; ``why`` says why it has no interval.
    """
    held = _prompt_means(rows)
    first = rows["model"][0] if rows.height else ""
    base = held.filter(pl.col("model") == first).select(*KEYS, "prompt_id", base="value")
    paired = held.filter(pl.col("model") != first).join(
        base, on=[*KEYS, "prompt_id"], how="left", maintain_order="left"
    )
    in_range = dict(rows.group_by("scorer").agg(pl.col("value").fill_nan(None).is_between(0, 1).all()).iter_rows())
    spans = {scorer: SHARES if within else None for scorer, within in in_range.items()}
    found = [
        dict(zip((*KEYS, "model"), names, strict=True)) | _compared(table, spans[names[1]])
        for names, table in paired.group_by(*KEYS, "model", maintain_order=True)
    ]
    tests = sum(row["p"] is not None for row in found)
    for row, p in zip(found, holm([row["p"] for row in found]), strict=True):
        row |= {"p_holm": p, "tests": tests}
    differences = pl.DataFrame(found, schema=dict.fromkeys((*KEYS, "model"), pl.String) | COMPARED)
    value = pl.col("value").fill_nan(None)
    return (
        rows.group_by(*KEYS, "model", maintain_order=True)
        .agg(n=value.count(), nulls=value.null_count(), mean=value.mean())
        .join(differences, on=[*KEYS, "model"], how="left", maintain_order="left")
        .sort(*KEYS, maintain_order=True)
    )


def _prompt_means(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the mean over samples of each split, scorer, model and prompt, with the prompt's ``cluster``."""
    family = pl.col("family") if "family" in rows.columns else pl.lit(None, pl.String)
    return (
        rows.with_columns(
            pl.col("value").fill_nan(None), cluster=pl.coalesce("f_" + family, "p_" + pl.col("prompt_id"))
        )
        .group_by(*KEYS, "model", "prompt_id", maintain_order=True)
        .agg(pl.col("value").mean(), pl.col("cluster").first())
    )


def _compared(paired: pl.DataFrame, span: tuple[float, float] | None) -> dict[str, Any]:
    """Return what is known of one model's difference to the first one, for one split and scorer.

    Args:
        paired: A row a prompt: ``value`` and ``base``, the means of both models, and ``cluster``.
        span: The range of a difference, if it has one.
    """
    both = paired.select("cluster", change=pl.col("value") - pl.col("base")).drop_nulls()
    clusters = both["cluster"].rank("dense").to_numpy()
    found = clustered_interval(both["change"].to_numpy(), clusters, span)
    smallest = smallest_effect(found.error, found.freedom) if found.error and found.freedom else None
    return {
        "difference": found.value, "low": found.low, "high": found.high, "prompts": both.height,
        "families": both["cluster"].n_unique(), "freedom": found.freedom, "p": found.p, "smallest": smallest,
        "why": found.why or None,
    }  # fmt: skip
