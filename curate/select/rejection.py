"""Every candidate whose score reaches a threshold, at most ``per_prompt`` of a prompt: rejection sampling.

The best go first; equal scores go by the completion's id, the lower first. A candidate without a score (null or NaN) is
never chosen.
"""

import polars as pl

from schemas.errors import UserError


def select(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, at: float, per_prompt: int | None = None
) -> pl.DataFrame:
    """Return, a row per candidate, ``kept``, ``reason`` (null when kept) and ``evidence``.

    ``evidence`` is the id of the last candidate that was kept in place of one that passed too, else null.
    Raises ``UserError`` for ``per_prompt`` below 1.
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
