"""Exact duplicates, after levelling what does not matter.

Two texts are the same if they are equal after: Unicode NFKC (``nfkc``: full-width letters, ligatures), lower case
(``ignore_case``), every run of white space taken for one space (``ignore_whitespace``) and punctuation dropped
(``ignore_punctuation``). A text that is nothing but punctuation is compared as it is.

Texts are levelled in blocks, on all cores, so that no copy of all of them is made: those of one hash (128 bits) are
found first, and then compared, so that none is dropped that was made to have another's hash.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Keep, priority
from curate.algorithms.parallel import each
from curate.algorithms.text.ngrams import nfkc as normal_form
from curate.algorithms.text.ngrams import one_space

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

    def level(part: pl.Series) -> pl.Series:
        part = normal_form(part) if nfkc else part
        part = part.str.to_lowercase() if ignore_case else part
        if ignore_punctuation:
            bare = one_space(part.str.replace_all(r"\p{P}", " "))
            part = part.set(bare != "", None).fill_null(bare)
        return one_space(part) if ignore_whitespace else part

    def hashes(low: int) -> pl.DataFrame:
        part = text[low : low + BLOCK]
        some, part = (part.str.strip_chars() != "").fill_null(False), level(part)
        return pl.DataFrame({"one": part.hash(seed=0), "two": part.hash(seed=1), "some": some})

    text, known = text.cast(pl.String), known.fill_null(False)
    order = priority(keep, text, score, known)
    rows = pl.concat(each(hashes, range(0, max(1, len(text)), BLOCK))).with_row_index("row")
    ranked = rows[order] if (order[1:] < order[:-1]).any() else rows
    kept = np.empty(len(order), np.int64)
    kept[order] = ranked.select(pl.col("row").first().over("one", "two"))["row"].to_numpy()
    copy = rows["some"].to_numpy() & (kept != np.arange(len(kept))) & ~known.to_numpy()
    copies = np.flatnonzero(copy)
    copy[copies[~same(text, copies, kept[copies], level)]] = False
    table = pl.DataFrame({"kept": kept, "copy": copy})
    return table.select(duplicate_of=pl.when("copy").then("kept"), similarity=pl.when("copy").then(pl.lit(1.0)))


def same(text: pl.Series, left: np.ndarray, right: np.ndarray, level: Callable[[pl.Series], pl.Series]) -> np.ndarray:
    """Whether the texts of rows ``left[i]`` and ``right[i]`` are the same once ``level`` has been over them (Boolean).

    Those that are the same as they are need no levelling.
    """

    def block(low: int) -> np.ndarray:
        one, other = text.gather(left[low : low + BLOCK]), text.gather(right[low : low + BLOCK])
        equal = (one == other).to_numpy().copy()
        differ = np.flatnonzero(~equal)
        equal[differ] = (level(one.gather(differ)) == level(other.gather(differ))).to_numpy()
        return equal

    return np.concatenate([np.zeros(0, bool), *each(block, range(0, len(left), BLOCK))])
