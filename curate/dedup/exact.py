"""Find exact duplicates: texts that are equal after levelling.

``curate.algorithms.text.levels`` defines levelling. Each part is a setting: forms of characters (``nfkc``: full-width
letters, ligatures, curly quotes), the case of prose (``ignore_case``), runs of white space (``ignore_whitespace``;
``ignore_indents`` for the depth of lines behind a ":"), the punctuation of sentences (``ignore_punctuation``). None of
them takes a sign, a digit, an operator or a letter of code away. A text that is nothing but punctuation keeps it.

Texts are levelled in blocks, on all cores, so that they are never copied all at once. Rows with the same 128-bit hash
are found first; then their texts are compared, so that texts made to have another's hash are not dropped.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Keep, priority
from curate.algorithms.near_duplicates.equal_hashes import rows_with_equal
from curate.algorithms.parallel import each
from curate.algorithms.text.levels import Level, levelled

BLOCK = 20_000  # rows


def dedup(
    text: pl.Series,
    score: pl.Series,
    known: pl.Series,
    *,
    ignore_case: bool = True,
    ignore_whitespace: bool = True,
    ignore_punctuation: bool = False,
    ignore_indents: bool = False,
    nfkc: bool = True,
    keep: Keep = "first",
) -> pl.DataFrame:
    """Return, for each text, the kept row that it duplicates.

    Of rows that are the same, the first by ``keep`` stays. Null and blank texts are never duplicates.

    Args:
        text: The texts.
        score: The scores for ``keep: best``.
        known: Rows of other data: they come before all others and are never dropped.
        ignore_case: Compare words of prose in small letters.
        ignore_whitespace: Take every run of white space for one space, and none at the ends.
        ignore_punctuation: Leave out the punctuation of sentences.
        ignore_indents: With ``ignore_whitespace``: do not compare which lines are deeper behind a ":".
        nfkc: Compare in Unicode's compatibility form, but for what changes a value (``folded_forms``).
        keep: The priority among rows that are the same (``clusters.priority``).

    Returns:
        ``duplicate_of`` (row number of the kept row, null = kept) and ``similarity`` (1.0, null = kept).
    """
    indents = ignore_whitespace and not ignore_indents
    level = Level(nfkc, ignore_case, ignore_punctuation, ignore_whitespace, indents, units=False)

    def normalise(part: pl.Series) -> pl.Series:
        made = levelled(part, level)
        bare = made == ""
        if not ignore_punctuation or not bare.any():
            return made
        return made.scatter(bare.arg_true(), levelled(part.filter(bare), level._replace(punctuation=False)))

    def hash_block(low: int) -> None:
        part = text[low : low + BLOCK]
        not_blank[low : low + BLOCK] = (part.str.strip_chars() != "").fill_null(False).to_numpy()
        part = normalise(part)
        one[low : low + BLOCK], two[low : low + BLOCK] = part.hash(seed=0).to_numpy(), part.hash(seed=1).to_numpy()

    text, known = text.cast(pl.String), known.fill_null(False)
    one, two, not_blank = (np.empty(len(text), kind) for kind in (np.uint64, np.uint64, bool))
    each(hash_block, range(0, len(text), BLOCK))
    rows = rows_with_equal(one)  # few: only these are sorted by priority and by the other hash
    order = priority(keep, text.gather(rows), score.gather(rows), known.gather(rows))
    copies, first = _copies(one[rows], two[rows], rows, order)
    wanted = not_blank[copies] & ~known.to_numpy()[copies]
    copies, first = copies[wanted], first[wanted]
    equal = equal_texts(text, copies, first, normalise)
    nothing = pl.select(
        duplicate_of=pl.repeat(None, len(text), dtype=pl.Int64), similarity=pl.repeat(None, len(text), dtype=pl.Float64)
    )
    found = {"duplicate_of": pl.Series(first[equal]), "similarity": pl.Series(np.ones(int(equal.sum())))}
    return nothing.with_columns(nothing[name].scatter(copies[equal], values) for name, values in found.items())


def _copies(one: np.ndarray, two: np.ndarray, rows: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that have both hashes of a row before them in order, and the first such row of each.

    Args:
        one: A hash of each of ``rows``.
        two: Another.
        rows: The rows that share their first hash with another one.
        order: Their order of priority, as numbers in ``rows``.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    by = np.lexsort((place, two, one))
    ranked, one, two = rows[by], one[by], two[by]
    new = np.ones(len(ranked), bool)
    new[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    first = ranked[new][np.cumsum(new) - 1]
    return ranked[~new], first[~new]


def equal_texts(
    text: pl.Series, left: np.ndarray, right: np.ndarray, normalise: Callable[[pl.Series], pl.Series]
) -> np.ndarray:
    """Return whether the texts of rows ``left[i]`` and ``right[i]`` are equal after ``normalise`` (Boolean).

    Texts that are equal as they are need no normalising.
    """

    def block(low: int) -> np.ndarray:
        one, other = text.gather(left[low : low + BLOCK]), text.gather(right[low : low + BLOCK])
        equal = (one == other).to_numpy().copy()
        differ = np.flatnonzero(~equal)
        equal[differ] = (normalise(one.gather(differ)) == normalise(other.gather(differ))).to_numpy()
        return equal

    return np.concatenate([np.zeros(0, bool), *each(block, range(0, len(left), BLOCK))])
