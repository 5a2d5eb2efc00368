"""Exact duplicates, after levelling what does not matter; the first row of each kind stays.

Two texts are the same if they are equal after: Unicode NFKC (``nfkc``: full-width letters, ligatures), lower case
(``ignore_case``), every run of white space taken for one space (``ignore_whitespace``) and punctuation dropped
(``ignore_punctuation``). A text that is nothing but punctuation is compared as it is.
"""

import polars as pl

from curate.ngrams import nfkc as normal_form
from curate.ngrams import one_space


def dedup(
    text: pl.Series,
    *,
    ignore_case: bool = True,
    ignore_whitespace: bool = True,
    ignore_punctuation: bool = False,
    nfkc: bool = True,
) -> pl.DataFrame:
    """Return, a row per text, ``duplicate_of`` (row number of the kept row, null = kept) and ``similarity`` (1.0).

    Null and blank texts are never duplicates.
    """
    text = text.cast(pl.String)
    level = normal_form(text) if nfkc else text
    level = level.str.to_lowercase() if ignore_case else level
    if ignore_punctuation:
        bare = one_space(level.str.replace_all(r"\p{P}", " "))
        level = level.set(bare != "", None).fill_null(bare)
    level = one_space(level) if ignore_whitespace else level
    rows = pl.DataFrame({"text": text, "level": level}).with_columns(row=pl.int_range(pl.len()))
    first = pl.col("row").first().over("level")
    copy = (pl.col("text").str.strip_chars() != "") & (first != pl.col("row"))
    return rows.select(
        duplicate_of=pl.when(copy).then(first).cast(pl.Int64),
        similarity=pl.when(copy).then(pl.lit(1.0)),
    )
