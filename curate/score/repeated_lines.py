"""The share of the response's lines, or paragraphs, that are there before, by their number or their characters.

Lines are compared without white space at their ends, and blank ones do not count; a blank line parts two paragraphs.
Gopher (arXiv 2112.11446) drops what has more than 0.3 of its lines or paragraphs twice, or 0.2 of its characters in
such; FineWeb (arXiv 2406.17557), from 0.1 of its characters in such lines (above 0.01 in its code, datatrove).
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import repeats
from schemas.errors import unknown


def score(
    response: pl.Series,
    *,
    of: Literal["lines", "paragraphs"] = "lines",
    by: Literal["number", "characters"] = "number",
) -> pl.DataFrame:
    """Return ``value``, the share (0 to below 1), and ``error`` ("no response", "blank response")."""
    if of not in ("lines", "paragraphs"):
        raise unknown("parts called", of, ("lines", "paragraphs"), "score repeated_lines: of")
    if by not in ("number", "characters"):
        raise unknown("measure", by, ("number", "characters"), "score repeated_lines: by")
    text = response.cast(pl.String)
    again, whole = ("repeated", "units") if by == "number" else ("repeated_characters", "characters")
    return repeats(text, paragraphs=of == "paragraphs").select(
        value=pl.when(text.is_not_null() & (pl.col(whole) > 0)).then(pl.col(again) / pl.col(whole)),
        error=pl.when(text.is_null())
        .then(pl.lit("no response"))
        .when(pl.col(whole) == 0)
        .then(pl.lit("blank response")),
    )
