"""Which share of the response's characters are letters, digits, symbols, white space, or (of its letters) capitals.

Symbols are what is neither letter, digit nor white space: punctuation, signs, emoji. Letters, digits and symbols are
shares of what is not white space; white space is one of all; capitals are one of the letters, also of those without
case: an abbreviation in a Chinese text is no shouting.
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import characters
from schemas.errors import unknown

KINDS = ("letters", "digits", "symbols", "uppercase", "spaces")


def score(
    response: pl.Series, *, of: Literal["letters", "digits", "symbols", "uppercase", "spaces"] = "symbols"
) -> pl.DataFrame:
    """Return ``value``, the share (0 to 1), and ``error`` where there is nothing to have a share of."""
    if of not in KINDS:
        raise unknown("share of characters called", of, KINDS, "score share")
    text = response.cast(pl.String)
    seen = pl.col("characters") - pl.col("spaces")
    part = pl.col(of) if of != "symbols" else seen - pl.col("letters") - pl.col("digits")
    whole = {"uppercase": pl.col("letters"), "spaces": pl.col("characters")}.get(of, seen)
    value = pl.when(text.is_not_null() & (whole > 0)).then(part / whole)
    missing = {"uppercase": "no letters", "spaces": "empty response"}.get(of, "blank response")
    return characters(text).select(
        value=value,
        error=pl.when(text.is_null()).then(pl.lit("no response")).when(whole == 0).then(pl.lit(missing)),
    )
