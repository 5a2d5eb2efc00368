"""The ``n`` best candidates of each prompt.

Of equal scores the lower completion id comes first: ids are hashes of content, so the choice favours nobody and does
not depend on the order of the rows. A candidate without a score (null or NaN) is never chosen.
"""

import polars as pl

from schemas.errors import UserError

WITHIN_PROMPTS = True


def select(prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, n: int = 1) -> pl.DataFrame:
    """Keep the ``n`` candidates of highest score of each prompt.

    Returns:
        A row per candidate: ``kept``; ``reason``, null when kept; and ``evidence``, the id of the last candidate that
        was kept instead, null where the prompt has none.

    Raises:
        UserError: For ``n`` below 1.
    """
    if n < 1:
        raise UserError(f"select best_of_n: n must be at least 1, found {n}")
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "score": score.cast(pl.Float64)})
    rows = rows.with_columns(pl.col("score").fill_nan(None), row=pl.int_range(pl.len()))
    # A number for each prompt: sorting by it first, few ids (text) are ever compared.
    rows = rows.with_columns(group=pl.col("row").min().over("prompt"))
    best = (
        rows.drop_nulls("score")
        .sort("group", "score", "id", descending=[False, True, False])
        .filter(pl.int_range(pl.len()).over("group") < n)
        .with_columns(kept=True)
    )
    last = best.group_by("group", maintain_order=True).agg(pl.col("id", "score").last().name.prefix("last_"))
    rows = rows.join(best.select("row", "kept"), on="row", how="left", maintain_order="left")
    rows = rows.join(last, on="group", how="left", maintain_order="left")
    reason = (
        pl.when(pl.col("kept"))
        .then(None)
        .when(pl.col("score").is_null())
        .then(pl.lit("no score"))
        .when(pl.col("score") == pl.col("last_score"))
        .then(pl.lit("equal score, later id"))
        .otherwise(pl.lit("lower score"))
    )
    return rows.select(
        pl.col("kept").fill_null(False), reason=reason, evidence=pl.when(pl.col("kept").is_null()).then("last_id")
    )
