"""Rejection sampling: keep every candidate whose score reaches a threshold, at most ``per_prompt`` of a prompt.

The best come first; of equal scores the lower completion id does. A candidate without a score (null or NaN) is
never chosen.
"""

import polars as pl

from schemas.errors import UserError

WITHIN_PROMPTS = True


def select(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, at: float, per_prompt: int | None = None
) -> pl.DataFrame:
    """Keep candidates that pass.

    Args:
        prompt_id: The prompt of each candidate.
        completion_id: The id of each candidate.
        score: The score of each candidate, or null.
        at: The lowest score that passes.
        per_prompt: How many candidates of a prompt are kept at most; all that pass if None.

    Returns:
        A row per candidate: ``kept``; ``reason``, null when kept; and ``evidence``, for a candidate that passed but
        was not kept the id of the last one kept instead, else null.

    Raises:
        UserError: For ``per_prompt`` below 1.
    """
    if per_prompt is not None and per_prompt < 1:
        raise UserError(f"select rejection: per_prompt must be at least 1, found {per_prompt}")
    rows = pl.DataFrame({"prompt": prompt_id, "id": completion_id, "score": score.cast(pl.Float64)})
    rows = rows.with_columns(pl.col("score").fill_nan(None), row=pl.int_range(pl.len()))
    rows = rows.with_columns(group=pl.col("row").min().over("prompt"))
    passed = rows.filter(pl.col("score") >= at).sort("group", "score", "id", descending=[False, True, False])
    passed = passed.with_columns(rank=pl.int_range(pl.len()).over("group"))
    full = passed.filter(pl.col("rank") == (per_prompt or len(rows)) - 1).select("group", last="id")
    passed = passed.join(full, on="group", how="left", maintain_order="left").select(
        "row", kept=pl.col("rank") < (per_prompt or len(rows)), last="last"
    )
    rows = rows.join(passed, on="row", how="left", maintain_order="left")
    reason = (
        pl.when(pl.col("kept"))
        .then(None)
        .when(pl.col("score").is_null())
        .then(pl.lit("no score"))
        .when(pl.col("kept").is_null())
        .then(pl.lit(f"score below {at:g}"))
        .otherwise(pl.lit(f"passed, but its prompt has {per_prompt} better"))
    )
    return rows.select(pl.col("kept").fill_null(False), reason=reason, evidence=pl.when(~pl.col("kept")).then("last"))
