"""Pair each prompt's best candidate with a random worse one.

The gap between their scores must be above 0 and at least ``margin``. Of equal best scores the lower id is chosen. Where
the random one cannot be rejected (its text is the same, or an option of the dataset excludes it), another is drawn.
Candidates without a finite score are ignored. The draw depends on the ids and the seed, not on the order of the rows.
"""

import polars as pl

from curate.algorithms.random_order import id_draws
from curate.select._worse import best_and_worse, proposed

WITHIN_PROMPTS = True


def pair(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, margin: float = 0.0, seed: int = 0
) -> pl.DataFrame:
    """Return the pairs in order of preference: ``chosen_id``, ``rejected_id`` and ``slot`` (one for each prompt)."""
    worse = best_and_worse(prompt_id, completion_id, score, margin)
    return proposed(worse.with_columns(draw=id_draws(worse["id"], seed, "best_vs_random")).sort("slot", "draw", "id"))
