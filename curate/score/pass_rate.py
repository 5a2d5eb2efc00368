"""The share of a prompt's candidates that pass: whose score, from another scorer (``by``), is at least ``at``.

``score: {use: pass_rate, by: math}`` gives every candidate of a prompt the same value. A condition such as
``pass_rate between 0.1 and 0.9`` then keeps the RL prompts that are neither too easy nor too hard.
"""

import polars as pl


def score(prompt_id: pl.Series, score: pl.Series, *, at: float = 1.0) -> pl.DataFrame:
    """Return ``value`` (0 to 1), ``detail`` ("3 of 8") and ``error``.

    Candidates without a score (null or NaN) do not count. A prompt of which no candidate has a score has no value.
    """
    rows = pl.DataFrame({"prompt": prompt_id, "score": score.cast(pl.Float64).fill_nan(None)})
    rows = rows.select(
        scored=pl.col("score").count().over("prompt"), passed=(pl.col("score") >= at).sum().over("prompt")
    )
    some = pl.col("scored") > 0
    return rows.select(
        value=pl.when(some).then(pl.col("passed") / pl.col("scored")),
        detail=pl.when(some).then(pl.format("{} of {}", "passed", "scored")),
        error=pl.when(~some).then(pl.lit("no candidate of this prompt has a score")),
    )
