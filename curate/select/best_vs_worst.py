"""Pair each prompt's best candidate with its worst.

The gap between their scores must be above 0 and at least ``margin``. Of equal scores the lower id comes first. Where
the worst cannot be rejected (its text is the same, or an option of the dataset excludes it), the next worst is.
Candidates without a finite score are ignored.
"""

import polars as pl

from curate.select._worse import best_and_worse, proposed

WITHIN_PROMPTS = True


def pair(prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, margin: float = 0.0) -> pl.DataFrame:
    """Return the pairs in order of preference: ``chosen_id``, ``rejected_id`` and ``slot`` (one for each prompt)."""
    return proposed(best_and_worse(prompt_id, completion_id, score, margin).sort("slot", "score", "id"))
