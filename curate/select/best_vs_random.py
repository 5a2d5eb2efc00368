"""Pair each prompt's best candidate with a random worse one.

The gap between their scores must be above 0 and at least ``margin``. Equal best scores go by id, the lower first. A
candidate that says the same as the chosen one (after stripping) is never drawn. Candidates without a finite score
neither win nor cost their prompt its pair. The draw depends on the ids and the seed, not on the order of the rows.
"""

import polars as pl

from curate.draw import draw
from curate.select._worse import best_and_worse


def pair(
    prompt_id: pl.Series,
    completion_id: pl.Series,
    score: pl.Series,
    response: pl.Series,
    *,
    margin: float = 0.0,
    seed: int = 0,
) -> pl.DataFrame:
    """Return a row per pair: ``chosen_id`` and ``rejected_id`` (completion ids), sorted by them."""
    worse = best_and_worse(prompt_id, completion_id, score, response, margin)
    drawn = worse.with_columns(lot=draw(worse["id"], seed)).sort("group", "lot", "id")
    drawn = drawn.unique("group", keep="first", maintain_order=True)
    return drawn.select(chosen_id="id_best", rejected_id="id").sort("chosen_id", "rejected_id")
