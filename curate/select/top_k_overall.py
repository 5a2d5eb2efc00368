"""The best candidates of all, whatever their prompt: a prompt may keep many of its candidates, or none.

Of equal scores the lower completion id comes first. A candidate without a score (null or NaN) is never chosen. In the
RLHF book's experiment on GSM8K only this selection beat its random control (N. Lambert, rlhfbook.com,
code/rejection_sampling).
"""

import polars as pl

from curate.select._keep import rows_to_keep


def select(completion_id: pl.Series, score: pl.Series, *, keep: int | float) -> pl.DataFrame:
    """Keep the candidates of highest score.

    Args:
        completion_id: The id of each candidate.
        score: The score of each candidate, or null.
        keep: A number of candidates, or a share of them all, scored or not, in (0, 1] if it has a decimal point.

    Returns:
        A row per candidate: ``kept``; ``reason``, null when kept; and ``evidence``, the id of the last kept one, null
        when kept.

    Raises:
        UserError: For a ``keep`` out of range.
    """
    count = rows_to_keep(keep, len(score), "select top_k_overall")
    rows = pl.DataFrame({"id": completion_id, "score": score.cast(pl.Float64)})
    rows = rows.with_columns(pl.col("score").fill_nan(None), row=pl.int_range(pl.len()))
    best = rows.drop_nulls("score").sort("score", "id", descending=[True, False]).head(count)
    last = best.tail(1)
    low, name = (last["score"].item(), last["id"].item()) if last.height else (None, None)
    kept = pl.col("row").is_in(best["row"].implode())
    reason = (
        pl.when(kept)
        .then(None)
        .when(pl.col("score").is_null())
        .then(pl.lit("no score"))
        .when(pl.col("score") == pl.lit(low, pl.Float64))
        .then(pl.lit("equal score, later id"))
        .otherwise(pl.lit("lower score"))
    )
    return rows.select(kept=kept, reason=reason, evidence=pl.when(~kept).then(pl.lit(name, pl.String)))
