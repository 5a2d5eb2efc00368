"""Pair every edited candidate with the one it was made from: the edit is chosen, its original rejected.

Identity training works so: the model's own answer is rejected, the same answer with the new name is chosen. An edit
that changed nothing (after stripping), or whose original is not among the candidates, gives no pair.
"""

import polars as pl


def pair(completion_id: pl.Series, parent_id: pl.Series, response: pl.Series) -> pl.DataFrame:
    """Return a row per pair: ``chosen_id`` (the edit) and ``rejected_id`` (its parent), sorted by them."""
    rows = pl.DataFrame({
        "id": completion_id.cast(pl.String), "parent": parent_id.cast(pl.String), "text": response.cast(pl.String),
    }).with_columns(pl.col("text").fill_null("").str.strip_chars())  # fmt: skip
    originals = rows.select(parent="id", original="text")
    pairs = rows.join(originals, on="parent").filter(pl.col("text") != pl.col("original"))
    return pairs.select(chosen_id="id", rejected_id="parent").unique().sort("chosen_id", "rejected_id")
