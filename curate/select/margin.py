"""Pair each prompt's best candidate with one that is worse by a gap inside a band.

A gap that is too small is noise of the scorer, one that is too large teaches little. Of the candidates whose gap to the
best is at least ``low`` (and above 0) and at most ``high``, the one with the widest gap is rejected, or, where it
cannot be, the next one. Of equal scores the lower id comes first. For pairs whose chosen candidate is not the best, use
``ranked``.
"""

import polars as pl

from curate.select._worse import best_and_worse, proposed
from schemas.errors import UserError

WITHIN_PROMPTS = True


def pair(
    prompt_id: pl.Series, completion_id: pl.Series, score: pl.Series, *, low: float = 0.0, high: float | None = None
) -> pl.DataFrame:
    """Return the pairs in order of preference: ``chosen_id``, ``rejected_id`` and ``slot`` (one for each prompt).

    Raises:
        UserError: For a band that is empty.
    """
    if low < 0 or (high is not None and (high <= 0 or high < low)):
        raise UserError(f"select margin: expected 0 <= low <= high, and high above 0; found low {low}, high {high}")
    worse = best_and_worse(prompt_id, completion_id, score, low)
    if high is not None:
        worse = worse.filter(pl.col("gap") <= high)
    return proposed(worse.sort("slot", "score", "id"))
