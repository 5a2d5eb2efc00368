"""What the response's lines are like: the share of bullets, of ellipses, of ended sentences, of short lines ...

Blank lines do not count. ``curate/algorithms/text/text_counts.py`` says what a line and the end of a sentence is. C4 (arXiv
1910.10683) keeps a line if it ends in a terminal punctuation mark or a quote, but not in an ellipsis, has at least five
words, none of over 1,000 characters, and mentions neither JavaScript nor policies and cookies. (So have its paper and
the code it was made with; in an earlier version of the paper, and in datatrove, it is three words.)
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

    ``count`` is the number of lines; ``breaks`` of line breaks for each word and mark (FineWeb's list ratio); the
    others are shares of the lines: that begin with a bullet, that end with an ellipsis, that end as a sentence does,
    that have at most ``short`` characters, that C4 would keep.
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
