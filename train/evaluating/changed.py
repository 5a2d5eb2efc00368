"""The prompts of which a model's verdict differs from the first model's: how many, and examples of both directions."""

import hashlib

import polars as pl

from train.evaluating.paired_values import IS_VERDICT, NO_WINNER, first_model, paired_values, yes_or_no_scorers

WON, LOST = "won", "lost"
EXAMPLES = {
    "split": pl.String, "scorer": pl.String, "model": pl.String, "verdict": pl.String, "prompt_id": pl.String,
    "sample_index": pl.Int64, "prompt": pl.String, "first_model": pl.String, "first_response": pl.String,
    "response": pl.String, "first_value": pl.Float64, "value": pl.Float64,
}  # fmt: skip


def changed_counts(rows: pl.DataFrame) -> pl.DataFrame:
    """Count the prompts that each model answers better and worse than the first one.

    Args:
        rows: Rows of an evaluation (``train.evaluating.paired_values.evaluation_rows``).

    Returns:
        A row for each split, scorer and model but the first: ``won`` counts the prompts whose mean score rose (from
        wrong to right, where scores are 0 or 1), ``lost`` those whose fell, ``same`` the others, and
        ``unknown`` those of which a model has no score. ``right`` and ``wrong`` count those of ``same`` that are
        right, or wrong, in all samples; null where scores are not 0 or 1. ``against`` is the first model.
    """
    change = pl.col("value") - pl.col("base")
    counted = pl.col("scorer").is_in(list(yes_or_no_scorers(rows))) & ~IS_VERDICT
    found = paired_values(rows).filter(pl.col("model") != first_model(rows))
    keys = ["split", "scorer", "model"]
    counts = found.group_by(*keys, maintain_order=True).agg(
        won=(change > 0).sum(),
        lost=(change < 0).sum(),
        same=(change == 0).sum(),
        unknown=change.null_count(),
        right=((change == 0) & (pl.col("value") == 1)).sum(),
        wrong=((change == 0) & (pl.col("value") == 0)).sum(),
    )
    order = counts.select("split", "scorer").unique(maintain_order=True).with_row_index("at")
    return (
        counts.with_columns(pl.when(counted).then(pl.col(name)).alias(name) for name in ("right", "wrong"))
        .join(order, on=["split", "scorer"], how="left", maintain_order="left", nulls_equal=True)
        .sort("at", maintain_order=True)
        .drop("at")
        .cast({name: pl.Int64 for name in ("won", "lost", "same", "unknown", "right", "wrong")})
        .with_columns(against=pl.lit(first_model(rows)))
    )


def changed_examples(rows: pl.DataFrame, seed: int, count: int, scorer: str | None = None) -> pl.DataFrame:
    """Return answers of each model beside the first model's where the verdict changed, chosen by a hash.

    The hash is of the seed and the prompt's id, so that nobody chooses, and models show the same prompts where they
    can. Where a prompt has several answers, the shown pair of one sample is drawn in the same way from those that
    changed as the prompt did, if there are any.

    Args:
        rows: Rows of an evaluation (``train.evaluating.paired_values.evaluation_rows``).
        seed: The seed.
        count: The most examples of each split, model and verdict.
        scorer: The scorer whose verdict it is; the first one by default.

    Returns:
        A row for each example, ``won`` before ``lost``: split, scorer, model, ``verdict``, prompt_id, sample_index,
        prompt, ``first_model``, both responses and their values.
    """
    scorer = scorer if scorer is not None else (rows["scorer"][0] if rows.height else "")
    first, keys = first_model(rows), ["split", "prompt_id", "sample_index"]
    pairs = paired_values(rows.filter(pl.col("scorer") == scorer))
    change = pl.col("value") - pl.col("base")
    verdict = pl.when(change > 0).then(pl.lit(WON)).when(change < 0).then(pl.lit(LOST))
    turned = pairs.select("split", "model", "prompt_id", verdict=verdict).drop_nulls("verdict")
    is_first, of_scorer = pl.col("model") == first, pl.col("scorer") == scorer
    before = rows.filter(is_first).unique(keys, keep="first", maintain_order=True)
    before = before.select(*keys, first_response="response")
    values = rows.filter(is_first, of_scorer).select(*keys, first_value="value")
    own = rows.filter(~is_first, of_scorer).select(*keys, "scorer", "model", "prompt", "response", "value")
    both = own.join(before, on=keys, how="left", nulls_equal=True).join(values, on=keys, how="left", nulls_equal=True)
    both = both.with_columns(first_value=pl.when(IS_VERDICT).then(pl.lit(NO_WINNER)).otherwise("first_value"))
    both = both.join(turned, on=["split", "model", "prompt_id"], how="inner", nulls_equal=True)
    moved = pl.col("value") - pl.col("first_value")
    agrees = pl.when(pl.col("verdict") == WON).then(moved > 0).otherwise(moved < 0).fill_null(False)
    both = both.with_columns(
        agrees=agrees,
        draw=_draws(both["prompt_id"], seed),
        sample_draw=_draws(both["prompt_id"] + both["sample_index"].cast(pl.String), seed),
    )
    groups = ["split", "model", "verdict"]
    one = both.sort("agrees", "sample_draw", descending=[True, False]).unique([*groups, "prompt_id"], keep="first")
    chosen = one.sort("draw").filter(pl.int_range(pl.len()).over(groups) < count)
    order = {name: rows[name].unique(maintain_order=True).to_list() for name in ("split", "model")}
    places = [pl.col(name).replace_strict(order[name], range(len(order[name]))) for name in order]
    chosen = chosen.sort(*places, pl.col("verdict") != WON, "draw").with_columns(first_model=pl.lit(first))
    return chosen.select([*EXAMPLES]).cast(EXAMPLES)  # ty: ignore[invalid-argument-type]


def _draws(texts: pl.Series, seed: int) -> pl.Series:
    """Return a number for each text that is evenly distributed, and depends on the text and the seed alone."""
    digests = (hashlib.sha256(f"{seed} {text}".encode("utf-8", "surrogatepass")).digest() for text in texts)
    return pl.Series([int.from_bytes(one[:8]) for one in digests], dtype=pl.UInt64)
