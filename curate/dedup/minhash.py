"""Find near-duplicates by shared n-grams: MinHash finds candidate pairs, the true Jaccard similarity decides.

Precision does not depend on the sketches, as every pair that decides is compared in full. Recall does: of the pairs
exactly at the threshold a share of ``recall`` is expected to be found, of nearer pairs more.

``curate.algorithms.text.levels`` defines words: its units, of levelled texts; each part of levelling is a setting
(``nfkc``, ``ignore_case``, ``ignore_punctuation``, ``ignore_indents``). Signs, digits and operators count, so that the
similarity is 1.0 only for texts that are equal after levelling. The second time that an n-gram stands in a text, it is
another one than the first. A text of fewer than twice ``ngram`` words is compared in full: only an equal one is near.
With ``unit: characters`` n-grams are of characters in any script, without white space.
Three-word n-grams suit prompts of 10 to 60 words: at a threshold of 0.8, a text with one word changed in 30 is still a
duplicate, and one with one in 20 is not.

``near_duplicates.near_pairs`` finds the pairs, ``near_duplicates.clusters`` decides which row of a cluster stays.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Keep, as_column, find_duplicates, priority
from curate.algorithms.near_duplicates.equal_hashes import rows_with_equal
from curate.algorithms.near_duplicates.pair_comparison import PairSearch, TextColumn
from curate.algorithms.text.levels import Level
from curate.algorithms.text.shingles import CONTENT, Grams, bands, sketches
from schemas.errors import UserError

Unit = Literal["auto", "words", "characters"]
BLOCK = 1 << 20  # rows whose hashes are read at a time
MOST = 10_000  # the largest ``ngram`` and ``permutations``


class Settings(NamedTuple):
    """The settings of ``dedup``."""

    threshold: float
    ngram: int
    unit: Unit
    permutations: int
    recall: float
    keep: Keep
    cluster: Cluster
    nfkc: bool
    ignore_case: bool
    ignore_punctuation: bool
    ignore_indents: bool
    seed: int


def dedup(
    text: pl.Series,
    sketch: pl.Series,
    score: pl.Series,
    known: pl.Series,
    *,
    threshold: float = 0.8,
    ngram: int = 3,
    unit: Unit = "auto",
    permutations: int = 128,
    recall: float = 0.995,
    keep: Keep = "first",
    cluster: Cluster = "keep_first",
    nfkc: bool = True,
    ignore_case: bool = True,
    ignore_punctuation: bool = True,
    ignore_indents: bool = False,
    seed: int = 0,
) -> pl.DataFrame:
    """Return, for each text, the kept row that it duplicates.

    Null and wordless texts are never duplicates.

    Args:
        text: The texts.
        sketch: The sketches of the texts by the function ``sketch`` with the same settings, or null throughout.
        score: The scores for ``keep: best``.
        known: Rows of other data: never dropped, and not compared with each other.
        threshold: The least Jaccard similarity of near-duplicates, in (0, 1].
        ngram: The size of an n-gram, in words (or characters).
        unit: The unit of n-grams: ``characters``, or else words.
        permutations: The number of MinHash permutations.
        recall: The share of pairs at the threshold to find, in (0, 1].
        keep: The priority among near-duplicates (``clusters.priority``).
        cluster: The definition of a cluster (``clusters.find_duplicates``).
        nfkc: Whether forms of characters are levelled.
        ignore_case: Whether the case of prose is.
        ignore_punctuation: Whether the punctuation of sentences is.
        ignore_indents: Whether the depth of lines is.
        seed: The seed of the permutations.

    Returns:
        ``duplicate_of`` (row number of the kept row), ``similarity`` (the true Jaccard similarity of the two rows'
        n-gram sets) and ``via`` (the row within the threshold through which the row is in its cluster); all null for
        kept rows.

    Raises:
        UserError: For a setting out of its range, and for sketches made with other settings.
    """
    levels = (nfkc, ignore_case, ignore_punctuation, ignore_indents)
    settings = Settings(threshold, ngram, unit, permutations, recall, keep, cluster, *levels, seed)
    found = dropped(text, sketch, score, known, settings)
    return found.select(as_column(found, name, len(text)) for name in ("duplicate_of", "similarity", "via"))


def dropped(text: pl.Series, sketch: pl.Series, score: pl.Series, known: pl.Series, settings: Settings) -> pl.DataFrame:
    """Return what ``dedup`` does of the rows that are dropped alone: ``row``, in order, and its columns."""
    threshold, ngram, unit, permutations, recall, keep, cluster, *levels, seed = settings
    _check_settings(threshold, ngram, permutations, recall)
    if not len(text):
        kinds = {"row": pl.Int64, "duplicate_of": pl.Int64, "similarity": pl.Float64, "via": pl.Int64}
        return pl.DataFrame(schema=kinds)
    how, text, known = bands(threshold, permutations, recall), text.cast(pl.String), known.fill_null(False)
    grams = compared_grams(ngram, unit, *levels)
    none = sketch.null_count() == len(sketch)
    made = sketches(text, grams, how, seed) if none else _sketch_array(sketch, how.count)
    unique, copies, first = unique_texts(made, priority(keep, text, score, known, np.uint32), known.to_numpy())
    others = int(known.gather(unique).sum())
    search = PairSearch(TextColumn(text), unique, others, grams, threshold, cluster == "connected")
    return dropped_rows(unique, _find(search, made, cluster), copies, first).sort("row")


def sketch(
    text: pl.Series,
    *,
    threshold: float = 0.8,
    ngram: int = 3,
    unit: Unit = "auto",
    permutations: int = 128,
    recall: float = 0.995,
    nfkc: bool = True,
    ignore_case: bool = True,
    ignore_punctuation: bool = True,
    ignore_indents: bool = False,
    seed: int = 0,
) -> pl.Series:
    """Return a sketch of each text for ``dedup`` (Array(UInt32, k)); null for a null text.

    A sketch depends only on its text and on these settings, which are those of ``dedup``, so that it can be cached.
    """
    _check_settings(threshold, ngram, permutations, recall)
    how = bands(threshold, permutations, recall)
    kind = pl.Array(pl.UInt32, how.count + CONTENT)
    if not len(text):
        return pl.Series("sketch", [], dtype=kind)
    text = text.cast(pl.String)
    grams = compared_grams(ngram, unit, nfkc, ignore_case, ignore_punctuation, ignore_indents)
    made = pl.Series("sketch", sketches(text, grams, how, seed), dtype=kind)
    if not text.null_count():
        return made
    return pl.DataFrame({"sketch": made, "text": text}).select(pl.when(text.is_not_null()).then("sketch"))["sketch"]


def compared_grams(
    ngram: int, unit: Unit, nfkc: bool, ignore_case: bool, ignore_punctuation: bool, ignore_indents: bool
) -> Grams:
    """Return the n-grams that ``dedup`` takes with such settings."""
    return Grams(ngram, unit == "characters", Level(nfkc, ignore_case, ignore_punctuation, indents=not ignore_indents))


def _check_settings(threshold: float, ngram: int, permutations: int, recall: float) -> None:
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"dedup minhash: {name} must be above 0 and at most 1, found {share}")
    for name, count in (("ngram", ngram), ("permutations", permutations)):
        if not 1 <= count <= MOST:
            raise UserError(f"dedup minhash: {name} must be at least 1 and at most {MOST:,}, found {count:,}")


class Dropped(NamedTuple):
    """Rows of a search that are dropped, in order (``clusters.Duplicates`` of these alone).

    Attributes:
        row: The row.
        kept_for: The kept row that it duplicates.
        similarity: The similarity to that row.
        via: The row within the threshold through which it is in its cluster.
    """

    row: np.ndarray
    kept_for: np.ndarray
    similarity: np.ndarray
    via: np.ndarray


def _find(search: PairSearch, made: np.ndarray, cluster: Cluster) -> Dropped:
    from curate.algorithms.near_duplicates.near_pairs import near_pairs

    return duplicates(search, near_pairs(search, made), cluster)


def duplicates(search: PairSearch, near: tuple[np.ndarray, np.ndarray, np.ndarray], cluster: Cluster) -> Dropped:
    """Return the dropped rows of a search, given its near pairs (``near_pairs``).

    Where others connect a row with the kept one too, the similarity is that to the kept row.
    """
    left, right, similarity = near
    rows = np.unique(np.concatenate((left, right)))  # the others are kept
    ends = (np.searchsorted(rows, end) for end in (left, right))
    found = find_duplicates(*ends, similarity, len(rows), int(np.searchsorted(rows, search.known)), cluster)
    at = np.flatnonzero(found.kept_for >= 0)
    made = Dropped(rows[at], rows[found.kept_for[at]], found.similarity[at], rows[found.via[at]])
    distant = np.flatnonzero(np.isnan(made.similarity))  # connected through other rows
    distant = distant[np.argsort(made.kept_for[distant], kind="stable")]
    kept, other = (search.text_row[held[distant]].astype(np.int64) for held in (made.kept_for, made.row))
    made.similarity[distant] = search.text.jaccard(kept, other, search.grams)
    return made


def _sketch_array(sketch: pl.Series, count: int) -> np.ndarray:
    """The sketches as an array, without a copy where they are in one chunk; all 0 for null."""
    kind = pl.Array(pl.UInt32, count + CONTENT)
    if sketch.dtype != kind:
        raise UserError(f"dedup minhash: the sketches are {sketch.dtype}, and those of these settings {kind}")
    if sketch.null_count():
        return sketch.reshape((-1,)).fill_null(0).to_numpy().reshape(-1, count + CONTENT)
    return sketch.to_numpy()


def unique_texts(
    made: np.ndarray, order: np.ndarray, is_known: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Group rows that are equal after levelling.

    Args:
        made: The sketches.
        order: The rows in order of priority.
        is_known: Which rows are of other data.

    Returns:
        The first row of each group, in order of priority; the other rows of groups, except known ones; and for each of
        these the number of its group. Rows without words are in no group.
    """
    content = made[:, -CONTENT:]
    rows, one = _with_equal_content(content)  # few: only these are looked at in order of priority
    two = content[rows, 2].astype(np.uint64) << np.uint64(32) | content[rows, 3]
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    by = np.lexsort((place[rows], two, one))
    rows, one, two = rows[by], one[by], two[by]
    new = np.ones(len(rows), bool)
    new[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    leader = rows[new][np.cumsum(new) - 1]
    worded = np.asarray(content.any(axis=1))
    is_copy = ~new & worded[rows] & ~is_known[rows]
    worded[rows[~new]] = False
    unique = order[worded[order]]
    copies, leader = rows[is_copy], leader[is_copy]
    by = np.argsort(place[copies], kind="stable")
    return unique, copies[by], np.searchsorted(place[unique], place[leader[by]])


def _with_equal_content(content: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows, in order, whose first half of the hash another row has too, and that half of each."""
    one = np.empty(len(content), np.uint64)
    for low in range(0, len(content), BLOCK):
        part = content[low : low + BLOCK, :2].astype(np.uint64)
        one[low : low + BLOCK] = part[:, 0] << np.uint64(32) | part[:, 1]
    rows = rows_with_equal(one)
    return rows, one[rows]


def dropped_rows(unique: np.ndarray, found: Dropped, copies: np.ndarray, first: np.ndarray) -> pl.DataFrame:
    """Return the rows that are dropped, from what the ``unique`` rows duplicate.

    A copy of a kept row duplicates that row. A copy of a dropped row duplicates what that row does, and as nearly.

    Args:
        unique: The first row of each group of rows that are equal after levelling, in order of priority.
        found: Those of them that are dropped, as numbers in ``unique``.
        copies: The other rows of groups.
        first: For each of these, the number of its group's first row in ``unique``.

    Returns:
        ``row``, and the columns that ``dedup`` returns; in no order.
    """
    at = np.searchsorted(found.row, first)
    gone = np.append(found.row, -1)[at] == first  # the group's first row is dropped itself
    kept_for, via, alike = first.copy(), first.copy(), np.ones(len(first))
    kept_for[gone], via[gone], alike[gone] = (held[at[gone]] for held in (found.kept_for, found.via, found.similarity))
    values = {
        "row": (unique[found.row], copies),
        "duplicate_of": (unique[found.kept_for], unique[kept_for]),
        "similarity": (found.similarity, alike),
        "via": (unique[found.via], unique[via]),
    }
    whole = {name: np.concatenate(both) for name, both in values.items()}
    return pl.DataFrame({name: held.astype(np.int64) if name != "similarity" else held for name, held in whole.items()})
