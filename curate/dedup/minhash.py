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

from typing import Literal

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Duplicates, Keep, find_duplicates, priority
from curate.algorithms.near_duplicates.equal_hashes import rows_with_equal
from curate.algorithms.near_duplicates.pair_comparison import PairSearch, TextColumn
from curate.algorithms.text.levels import Level
from curate.algorithms.text.shingles import CONTENT, Grams, bands, sketches
from schemas.errors import UserError

Unit = Literal["auto", "words", "characters"]
MOST = 10_000  # the largest ``ngram`` and ``permutations``


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
    _check_settings(threshold, ngram, permutations, recall)
    if not len(text):
        return pl.DataFrame(schema={"duplicate_of": pl.Int64, "similarity": pl.Float64, "via": pl.Int64})
    how, text, known = bands(threshold, permutations, recall), text.cast(pl.String), known.fill_null(False)
    grams = compared_grams(ngram, unit, nfkc, ignore_case, ignore_punctuation, ignore_indents)
    none = sketch.null_count() == len(sketch)
    made = sketches(text, grams, how, seed) if none else _sketch_array(sketch, how.count)
    unique, copies, first = unique_texts(made, priority(keep, text, score, known), known.to_numpy())
    others = int(known.gather(unique).sum())
    search = PairSearch(TextColumn(text), unique, others, grams, threshold, cluster == "connected")
    return _result(len(text), dropped_rows(unique, _find(search, made, cluster), copies, first))


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


def _find(search: PairSearch, made: np.ndarray, cluster: Cluster) -> Duplicates:
    from curate.algorithms.near_duplicates.near_pairs import near_pairs

    return duplicates(search, near_pairs(search, made), cluster)


def duplicates(search: PairSearch, near: tuple[np.ndarray, np.ndarray, np.ndarray], cluster: Cluster) -> Duplicates:
    """Return what the rows of a search duplicate, given its near pairs (``near_pairs``).

    Where others connect a row with the kept one too, the similarity is that to the kept row.
    """
    found = find_duplicates(*near, len(search.text_row), search.known, cluster)
    distant = np.flatnonzero(np.isnan(found.similarity) & (found.kept_for >= 0))  # connected through other rows
    distant = distant[np.argsort(found.kept_for[distant], kind="stable")]
    kept = search.text_row[found.kept_for[distant]]
    found.similarity[distant] = search.text.jaccard(kept, search.text_row[distant], search.grams)
    return found


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
    one = content[:, 0].astype(np.uint64)
    one <<= np.uint64(32)
    one |= content[:, 1]
    rows = rows_with_equal(one)  # few: only these are looked at in order of priority
    two = content[rows, 2].astype(np.uint64) << np.uint64(32) | content[rows, 3]
    place = np.empty(len(order), np.uint32)
    place[order] = np.arange(len(order), dtype=np.uint32)
    by = np.lexsort((place[rows], two, one[rows]))
    rows, two = rows[by], two[by]
    new = np.ones(len(rows), bool)
    new[1:] = (one[rows[1:]] != one[rows[:-1]]) | (two[1:] != two[:-1])
    leader = rows[new][np.cumsum(new) - 1]
    worded = np.asarray(content.any(axis=1))
    alone = np.ones(len(order), bool)
    alone[rows[~new]] = False
    unique = order[(worded & alone)[order]]
    is_copy = ~new & worded[rows] & ~is_known[rows]
    number = np.empty(len(order), np.int32)  # of each row that is the first of its group, the group
    number[unique] = np.arange(len(unique), dtype=np.int32)
    copies = rows[is_copy]
    by = np.argsort(place[copies], kind="stable")
    return unique, copies[by], number[leader[is_copy]][by].astype(np.int64)


def dropped_rows(unique: np.ndarray, found: Duplicates, copies: np.ndarray, first: np.ndarray) -> pl.DataFrame:
    """Return the rows that are dropped, from what the ``unique`` rows duplicate.

    A copy of a kept row duplicates that row. A copy of a dropped row duplicates what that row does, and as nearly.

    Args:
        unique: The first row of each group of rows that are equal after levelling, in order of priority.
        found: What each of them duplicates, as numbers in ``unique``.
        copies: The other rows of groups.
        first: For each of these, the number of its group's first row in ``unique``.

    Returns:
        ``row``, and the columns that ``dedup`` returns; in no order.
    """
    dropped = np.flatnonzero(found.kept_for >= 0)
    first_stays = found.kept_for[first] < 0
    values = {
        "row": (unique[dropped], copies),
        "duplicate_of": (unique[found.kept_for[dropped]], unique[np.where(first_stays, first, found.kept_for[first])]),
        "similarity": (found.similarity[dropped], np.where(first_stays, 1.0, found.similarity[first])),
        "via": (unique[found.via[dropped]], unique[np.where(first_stays, first, found.via[first])]),
    }
    return pl.DataFrame({name: np.concatenate(both) for name, both in values.items()})


def _result(rows: int, dropped: pl.DataFrame) -> pl.DataFrame:
    kinds = {"duplicate_of": pl.Int64, "similarity": pl.Float64, "via": pl.Int64}
    nothing = pl.select(pl.repeat(None, rows, dtype=kind).alias(name) for name, kind in kinds.items())
    return nothing.with_columns(nothing[name].scatter(dropped["row"], dropped[name]) for name in kinds)
