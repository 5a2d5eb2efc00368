"""Pair each prompt's best candidate with its worst.

The gap between their scores must be above 0 and at least ``margin``. Equal scores go by id, the lower first. The
rejected text is always another than the chosen one (after stripping): where the worst candidate says the same, the
worst that says something else is taken. Candidates without a finite score neither win nor cost their prompt its pair.
"""

import polars as pl

from curate.select._worse import best_and_worse


def pair(
    prompt_id: pl.Series,
    completion_id: pl.Series,
    score: pl.Series,
    response: pl.Series,
    *,
    margin: float = 0.0,
) -> pl.DataFrame:
    """Return a row per pair: ``chosen_id`` and ``rejected_id`` (completion ids), sorted by them."""
    worse = best_and_worse(prompt_id, completion_id, score, response, margin)
    worst = worse.sort("group", "score", "id").unique("group", keep="first", maintain_order=True)
    return worst.select(chosen_id="id_best", rejected_id="id").sort("chosen_id", "rejected_id")
