"""Compares the models of an evaluation: means, differences to the first model, and how sure these are."""

import polars as pl

from curate.storage.stage import Stage
from train.evaluating.own_rows import scored_rows


def compare_models(stage: Stage) -> pl.DataFrame:
    """Compare the models of an evaluation, each with the first one.

    The interval is the normal approximation, difference +/- 1.96 x standard error, over the prompts for which both
    models have a score. It is null for fewer than two prompts, and too narrow for a handful; for a difference of two
    proportions it needs some dozens.

    Args:
        stage: A stage with the table ``evaluations``.

    Returns:
        A row for each split, scorer and model, in the recipe's order. ``n`` counts the scored answers, ``nulls`` those
        that have no score; ``mean`` is over the scored answers. ``difference`` is the mean over prompts of the
        difference to the first model of the model's mean over its samples; ``low`` and ``high`` are the ends of its
        95% interval. These three are null for the first model.
    """
    rows = scored_rows(stage.read("evaluations"))
    keys = ["split", "scorer"]
    prompt_means = rows.group_by(*keys, "model", "prompt_id", maintain_order=True).agg(pl.col("value").mean())
    first = rows["model"][0] if rows.height else None
    base = prompt_means.filter(pl.col("model") == first).select(*keys, "prompt_id", base="value")
    change = pl.col("value") - pl.col("base")
    error = 1.96 * change.std() / change.count().sqrt()
    paired = prompt_means.join(base, on=[*keys, "prompt_id"], how="left", maintain_order="left")
    differences = paired.group_by(*keys, "model", maintain_order=True).agg(
        difference=change.mean(), low=change.mean() - error, high=change.mean() + error
    )
    is_first = pl.col("model") == first
    return (
        rows.group_by(*keys, "model", maintain_order=True)
        .agg(n=pl.col("value").count(), nulls=pl.col("value").null_count(), mean=pl.col("value").mean())
        .join(differences, on=[*keys, "model"], how="left", maintain_order="left")
        .with_columns(pl.when(~is_first).then(pl.col(c)).alias(c) for c in ("difference", "low", "high"))
        .sort(*keys, maintain_order=True)
    )
