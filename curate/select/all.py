"""Keep every candidate, scored or not."""

import polars as pl

WITHIN_PROMPTS = True


def select(prompt_id: pl.Series, completion_id: pl.Series) -> pl.DataFrame:
    """Return a row per candidate: ``kept`` (all true), ``reason`` and ``evidence`` (all null)."""
    rows = pl.DataFrame({"prompt_id": prompt_id, "completion_id": completion_id})
    nothing = pl.lit(None, pl.String)
    return rows.select(kept=pl.repeat(True, pl.len()), reason=nothing, evidence=nothing)
