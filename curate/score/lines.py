"""The number of the response's lines, or the share that are bullets, end in an ellipsis, end a sentence, are short ...

Blank lines do not count. ``curate/algorithms/text/text_counts.py`` defines a line and the end of a sentence. C4 (arXiv
1910.10683) keeps a line if it ends in a terminal punctuation mark or a quote, but not in an ellipsis, has at least five
words, none of over 1,000 characters, and mentions neither JavaScript nor policies and cookies. (The paper and C4's own
code say five words; an earlier version of the paper, and datatrove, say three.)
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import lines, without_notices
from schemas.errors import unknown

SHARES = ("bullets", "ellipses", "punctuated", "short", "c4_lines")
MEASURES = ("count", "breaks", *SHARES)


def score(
    response: pl.Series,
    *,
    measure: Literal["count", "breaks", "bullets", "ellipses", "punctuated", "short", "c4_lines"] = "count",
    short: int = 30,
) -> pl.DataFrame:
    """Return ``value`` and ``error`` ("no response", "blank response").

    Args:
        response: The texts.
        measure: ``count`` is the number of lines, ``breaks`` the number of line breaks per word or mark (FineWeb's list
            ratio). The others are shares of the lines: ``bullets`` begin with a bullet, ``ellipses`` end with an
            ellipsis, ``punctuated`` end as a sentence does, ``short`` have at most ``short`` characters, ``c4_lines``
            are those that C4 would keep.
        short: Characters of a short line.

    Raises:
        UserError: For a measure that does not exist.
    """
    if measure not in MEASURES:
        raise unknown("measure", measure, MEASURES, "score lines")
    text = response.cast(pl.String)
    counted = lines(without_notices(text) if measure == "c4_lines" else text, short)
    whole = pl.col("lines")
    value = whole if measure == "count" else pl.col(measure) / (pl.col("tokens") if measure == "breaks" else whole)
    blank = (whole == 0) & (measure != "count")
    return counted.select(
        value=pl.when(text.is_not_null() & ~blank).then(value.cast(pl.Float64)),
        error=pl.when(text.is_null()).then(pl.lit("no response")).when(blank).then(pl.lit("blank response")),
    )
