"""The number of sentences in the response, on all of its lines or on those that C4 would keep.

A sentence ends at a full stop or similar mark before white space (in Chinese, before anything), and at the end of its
line; "1." and "J." end no sentence. ``curate/score/lines.py`` says which lines C4 keeps. C4 (arXiv 1910.10683) drops
pages with fewer than three sentences on such lines (five in an earlier version of the paper, and in datatrove).
"""

from typing import Literal

import polars as pl

from curate.algorithms.text.text_counts import lines, without_notices
from schemas.errors import unknown


def score(response: pl.Series, *, of: Literal["all", "c4"] = "all") -> pl.DataFrame:
    """Return ``value``, the number of sentences, and ``error`` ("no response")."""
    if of not in ("all", "c4"):
        raise unknown("lines called", of, ("all", "c4"), "score sentences")
    text = response.cast(pl.String)
    counted = lines(without_notices(text) if of == "c4" else text)
    value = pl.col("c4_sentences" if of == "c4" else "sentences").cast(pl.Float64)
    return counted.select(
        value=pl.when(text.is_not_null()).then(value),
        error=pl.when(text.is_null()).then(pl.lit("no response")),
    )
