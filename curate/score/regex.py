"""Whether the response matches a regular expression anywhere."""

import polars as pl


def score(response: pl.Series, *, pattern: str) -> pl.Series:
    """Score 1.0 where ``pattern`` is found in the response, 0.0 where not, null for a null response.

    The pattern is a Rust regular expression (linear time, no look-around); ``(?i)`` in front ignores case.
    """
    return response.str.contains(pattern).cast(pl.Float64)
