"""Pair every edited candidate with the one it was made from: the edit is chosen, its original rejected.

This is used in identity training: the model's own answer is rejected, the same answer with the new name is chosen. An
edit whose original is not among the candidates gives no pair. An edit that changed nothing is excluded later, as any
pair of equal texts is.
"""

import polars as pl


def pair(completion_id: pl.Series, parent_id: pl.Series) -> pl.DataFrame:
    """Return a row per pair, sorted: ``chosen_id`` (the edit) and ``rejected_id`` (its parent)."""
    rows = pl.DataFrame({"chosen_id": completion_id.cast(pl.String), "rejected_id": parent_id.cast(pl.String)})
    rows = rows.filter(pl.col("rejected_id").is_in(completion_id.cast(pl.String).implode()))
    return rows.filter(pl.col("rejected_id") != pl.col("chosen_id")).unique().sort("chosen_id", "rejected_id")
