"""Find exact duplicates: texts that are equal after levelling.

``curate.algorithms.text.levels`` defines levelling. Each part is a setting: forms of characters (``nfkc``: full-width
letters, ligatures, curly quotes), the case of prose (``ignore_case``), runs of white space (``ignore_whitespace``;
``ignore_indents`` for the depth of lines behind a ":"), the punctuation of sentences (``ignore_punctuation``). None of
them takes a sign, a digit, an operator or a letter of code away. A text that is nothing but punctuation keeps it.

Texts are levelled in blocks, on all cores, so that they are never copied all at once. Rows with the same hash are found
first; then their texts are compared, so that texts made to have another's hash are not dropped. The hashes, eight bytes
a row, and a sorted copy of them are all that is in memory of rows without a copy.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Keep, as_column, priority
from curate.algorithms.near_duplicates.equal_hashes import rows_with_equal
from curate.algorithms.parallel import each
from curate.algorithms.text.levels import Level, levelled

BLOCK = 20_000  # rows


class Settings(NamedTuple):
    """The settings of ``dedup``."""

    ignore_case: bool
    ignore_whitespace: bool
    ignore_punctuation: bool
    ignore_indents: bool
    nfkc: bool
    keep: Keep


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
    settings = Settings(ignore_case, ignore_whitespace, ignore_punctuation, ignore_indents, nfkc, keep)
    found = dropped(text, score, known, settings)
    return found.select(as_column(found, name, len(text)) for name in ("duplicate_of", "similarity"))


def dropped(text: pl.Series, score: pl.Series, known: pl.Series, settings: Settings) -> pl.DataFrame:
    """Return what ``dedup`` does of the rows that are dropped alone: ``row``, in order, and its columns."""
    text, known = text.cast(pl.String), known.fill_null(False)
    rows, hashes = _with_equal_hash(text, settings)
    order = _order(text, score, known, rows, settings.keep)
    copies, first = copies_among(text, known, rows, hashes, order, settings)
    by = np.argsort(copies)
    return pl.DataFrame({"row": copies[by], "duplicate_of": first[by], "similarity": np.ones(len(by))})


def copies_among(
    text: pl.Series, known: pl.Series, rows: np.ndarray, one: np.ndarray, order: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that are dropped, and the row that each duplicates.

    Args:
        text: All texts.
        known: Which rows are of other data.
        rows: The rows to look among.
        one: A hash of each of ``rows``; equal texts have equal ones.
        order: Their order of priority, as numbers in ``rows``.
        settings: The settings.
    """
    copies, first = _copies(one, np.zeros(len(one), np.uint64), order)
    equal, asked = _equal(text, known, rows, copies, first, settings)
    odd = np.isin(one, one[copies[asked & ~equal]])  # of these hashes a text is not the first one's: another hash tells
    if odd.any():
        two = np.zeros(len(one), np.uint64)
        two[odd] = _hashes(text.gather(rows[odd]), settings, seed=1)
        copies, first = _copies(one, two, order)
        equal, _ = _equal(text, known, rows, copies, first, settings)
    return rows[copies[equal]], rows[first[equal]]


def _with_equal_hash(text: pl.Series, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows, in order, whose levelled text has the hash of another's, and the hash of each."""
    hashes = np.empty(len(text), np.uint64)

    def hash_block(low: int) -> None:
        hashes[low : low + BLOCK] = _hashes(text[low : low + BLOCK], settings, seed=0)

    each(hash_block, range(0, len(text), BLOCK))
    rows = rows_with_equal(hashes)
    return rows, hashes[rows]


def _hashes(text: pl.Series, settings: Settings, seed: int) -> np.ndarray:
    return _normalised(text, settings).hash(seed=seed).to_numpy()


def _normalised(text: pl.Series, settings: Settings) -> pl.Series:
    """Return texts as they are compared."""
    indents = settings.ignore_whitespace and not settings.ignore_indents
    bare_too = settings.ignore_punctuation
    level = Level(settings.nfkc, settings.ignore_case, bare_too, settings.ignore_whitespace, indents, units=False)
    made = levelled(text, level)
    bare = made == ""
    if not bare_too or not bare.any():
        return made
    return made.scatter(bare.arg_true(), levelled(text.filter(bare), level._replace(punctuation=False)))


def _order(text: pl.Series, score: pl.Series, known: pl.Series, rows: np.ndarray, keep: Keep) -> np.ndarray:
    """Return the order of priority of some rows, as numbers in ``rows``."""
    held = text.gather(rows) if keep != "first" else pl.Series([], dtype=pl.String)  # ``first`` reads no text
    return priority(keep, held, score.gather(rows), known.gather(rows))


def _copies(one: np.ndarray, two: np.ndarray, order: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that have both hashes of a row before them in order, and the first such row of each.

    Args:
        one: A hash of each row.
        two: Another.
        order: The rows in order of priority.
    """
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    by = np.lexsort((place, two, one))
    new = np.ones(len(by), bool)
    new[1:] = (one[by[1:]] != one[by[:-1]]) | (two[by[1:]] != two[by[:-1]])
    first = by[new][np.cumsum(new) - 1]
    return by[~new], first[~new]


def _equal(
    text: pl.Series, known: pl.Series, rows: np.ndarray, copies: np.ndarray, first: np.ndarray, settings: Settings
) -> tuple[np.ndarray, np.ndarray]:
    """Return which copies have the first one's text, and which were compared: known and blank ones are not."""
    asked = ~known.gather(rows[copies]).to_numpy()
    asked[asked] = _not_blank(text, rows[copies[asked]])
    equal = asked.copy()
    equal[asked] = equal_texts(text, rows[copies[asked]], rows[first[asked]], lambda part: _normalised(part, settings))
    return equal, asked


def _not_blank(text: pl.Series, rows: np.ndarray) -> np.ndarray:
    def block(low: int) -> np.ndarray:
        return (text.gather(rows[low : low + BLOCK]).str.strip_chars() != "").fill_null(False).to_numpy()

    return np.concatenate([np.zeros(0, bool), *each(block, range(0, len(rows), BLOCK))])


def equal_texts(
    text: pl.Series, left: np.ndarray, right: np.ndarray, normalise: Callable[[pl.Series], pl.Series]
) -> np.ndarray:
    """Return whether the texts of rows ``left[i]`` and ``right[i]`` are equal after ``normalise`` (Boolean).

    Texts that are equal as they are need no normalising.
    """

    def block(low: int) -> np.ndarray:
        one, other = text.gather(left[low : low + BLOCK]), text.gather(right[low : low + BLOCK])
        equal = (one == other).fill_null(False).to_numpy().copy()
        differ = np.flatnonzero(~equal)
        same = normalise(one.gather(differ)) == normalise(other.gather(differ))
        equal[differ] = same.fill_null(False).to_numpy()
        return equal

    return np.concatenate([np.zeros(0, bool), *each(block, range(0, len(left), BLOCK))])
