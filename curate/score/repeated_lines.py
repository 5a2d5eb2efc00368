"""The share of the response's lines or paragraphs that repeat an earlier one, by number or by characters.

Lines are compared without white space at their ends; blank ones do not count, they separate paragraphs. Gopher (arXiv
2112.11446) drops texts with a share of repeated lines or paragraphs above 0.3 by number, or above 0.2 by characters;
FineWeb (arXiv 2406.17557), from 0.1 of the characters in repeated lines (its code, datatrove, above 0.01).
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
    """Return ``value``, the share (0 to below 1), and ``error`` ("no response", "blank response").

    Args:
        response: The texts.
        of: Parts to compare.
        by: What the share counts: parts, or their characters.

    Raises:
        UserError: For other parts or measures.
    """
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
