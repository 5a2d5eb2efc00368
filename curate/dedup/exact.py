"""Exact duplicates, after levelling what does not matter.

Two texts are the same if they are equal after: Unicode NFKC (``nfkc``: full-width letters, ligatures), lower case
(``ignore_case``), every run of white space taken for one space (``ignore_whitespace``) and punctuation dropped
(``ignore_punctuation``). A text that is nothing but punctuation is compared as it is.

Texts are levelled in blocks, on all cores, and compared by two 64-bit hashes, so that no copy of all of them is made.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl

from curate.clusters import Keep, priority
from curate.ngrams import nfkc as normal_form
from curate.ngrams import one_space

BLOCK = 20_000  # rows


def dedup(
    text: pl.Series,
    score: pl.Series,
    known: pl.Series,
    *,
    ignore_case: bool = True,
    ignore_whitespace: bool = True,
    ignore_punctuation: bool = False,
    nfkc: bool = True,
    keep: Keep = "first",
) -> pl.DataFrame:
    """Return, a row per text, ``duplicate_of`` (row number of the kept row, null = kept) and ``similarity`` (1.0).

    Of rows that are the same the first in the order of ``keep`` stays (``best`` goes by ``score``), and every ``known``
    one, which come before all others. Null and blank texts are never duplicates.
    """

    def hashes(low: int) -> pl.DataFrame:
        part = text[low : low + BLOCK].cast(pl.String)
        level = normal_form(part) if nfkc else part
        level = level.str.to_lowercase() if ignore_case else level
        if ignore_punctuation:
            bare = one_space(level.str.replace_all(r"\p{P}", " "))
            level = level.set(bare != "", None).fill_null(bare)
        level = one_space(level) if ignore_whitespace else level
        some = (part.str.strip_chars() != "").fill_null(False)
        return pl.DataFrame({"one": level.hash(seed=0), "two": level.hash(seed=1), "some": some})

    known = known.fill_null(False)
    order = priority(keep, text, score, known)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        rows = pl.concat(threads.map(hashes, range(0, max(1, len(text)), BLOCK))).with_row_index("row")
    ranked = rows[order] if (order[1:] < order[:-1]).any() else rows
    kept = np.empty(len(order), np.int64)
    kept[order] = ranked.select(pl.col("row").first().over("one", "two"))["row"].to_numpy()
    copy = pl.col("some") & (pl.col("kept") != pl.col("row")) & ~pl.col("known")
    rows = rows.with_columns(known=known, kept=kept)
    return rows.select(duplicate_of=pl.when(copy).then("kept"), similarity=pl.when(copy).then(pl.lit(1.0)))
