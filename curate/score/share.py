"""The share of the response's characters that are letters, digits, symbols or white space, or of letters, capitals.

Symbols are all characters but letters, digits and white space: punctuation, signs, emoji. Letters, digits and symbols
are shares of the characters that are not white space; white space is a share of all characters; capitals are a share of
all letters, including letters of scripts without case, so that an abbreviation in a Chinese text weighs little.
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import characters
from schemas.errors import unknown

KINDS = ("letters", "digits", "symbols", "uppercase", "spaces")


def score(
    response: pl.Series, *, of: Literal["letters", "digits", "symbols", "uppercase", "spaces"] = "symbols"
) -> pl.DataFrame:
    """Return ``value``, the share (0 to 1), and ``error`` where there are no characters to count.

    Raises:
        UserError: For another class of characters.
    """
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
