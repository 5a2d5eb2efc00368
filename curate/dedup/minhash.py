"""Near-duplicates by shared n-grams: MinHash sketches in bands find them, the true Jaccard similarity decides.

Precision does not hang on the sketch: every pair that decides is compared in full. Only recall does: of the pairs
exactly at the threshold a share of ``recall`` is expected to be found, of nearer ones more.

How words are cut, and what becomes of scripts without spaces and of texts shorter than ``ngram`` words, is said in
``curate.algorithms.text.ngrams``; ``unit: characters`` goes by characters of any script instead, white space and punctuation left
out. Three-word n-grams suit prompts of 10 to 60 words: at 0.8, one word changed in 30 still makes a duplicate and one
in 20 does not.

How pairs are found is said in ``curate.algorithms.near_duplicates.near_pairs``, which row of a cluster stays in ``curate.algorithms.near_duplicates.clusters``.
"""

from typing import Literal

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Keep, decide, priority
from curate.algorithms.text.shingles import CONTENT, Grams, bands, jaccard, sketches
from schemas.errors import UserError

Unit = Literal["auto", "words", "characters"]
MOST = 10_000  # words in an n-gram, and permutations


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
    seed: int = 0,
) -> pl.DataFrame:
    """Return, a row per text, ``duplicate_of`` (row of the kept row, null = kept), ``similarity`` and ``via``.

    ``sketch`` holds what the function ``sketch`` makes of the texts with the same settings, or is null throughout.
    ``score`` is what ``keep: best`` goes by; ``known`` rows are of other data: never dropped, nor compared among
    themselves. ``threshold`` and ``recall`` are shares in (0, 1], ``ngram`` is in words (or characters). ``similarity``
    is the true Jaccard similarity of the two rows' n-gram sets, and ``via`` the row within the threshold by which the
    row is in its cluster (null for kept rows). Null and wordless texts are never duplicates. Raises ``UserError`` for a
    setting out of its range, and for sketches made otherwise.
    """
    _check(threshold, ngram, permutations, recall)
    if not len(text):
        return pl.DataFrame(schema={"duplicate_of": pl.Int64, "similarity": pl.Float64, "via": pl.Int64})
    from curate.algorithms.near_duplicates.near_pairs import Job, near_pairs

    text, grams, how = text.cast(pl.String), Grams(ngram, unit == "characters"), bands(threshold, permutations, recall)
    made = sketches(text, grams, how, seed) if sketch.null_count() == len(sketch) else _given(sketch, how.count)
    known = known.fill_null(False)
    held, order = known.to_numpy(), priority(keep, text, score, known)
    line, copies, first = _unique(made, order, held)
    job = Job(text, line, int(held[line].sum()), grams, threshold, cluster == "connected")
    left, right, value = near_pairs(job, made)
    out, similarity, through = decide(left, right, value, len(line), job.known, cluster)
    lost = np.flatnonzero(np.isnan(similarity) & (out >= 0))  # connected, and not by one pair
    lost = lost[np.argsort(out[lost], kind="stable")]
    similarity[lost] = jaccard(text, line[out[lost]], line[lost], grams)
    return _table(len(text), line, (out, similarity, through), copies, first)


def sketch(
    text: pl.Series,
    *,
    threshold: float = 0.8,
    ngram: int = 3,
    unit: Unit = "auto",
    permutations: int = 128,
    recall: float = 0.995,
    seed: int = 0,
) -> pl.Series:
    """Return what ``dedup`` needs to know of each text by itself (Array(UInt32, k)); null for a null text.

    It depends on the text and on these settings (which are those of ``dedup``) only, so that it can be kept.
    """
    _check(threshold, ngram, permutations, recall)
    how = bands(threshold, permutations, recall)
    kind = pl.Array(pl.UInt32, how.count + CONTENT)
    if not len(text):
        return pl.Series("sketch", [], dtype=kind)
    text = text.cast(pl.String)
    made = pl.Series("sketch", sketches(text, Grams(ngram, unit == "characters"), how, seed), dtype=kind)
    if not text.null_count():
        return made
    return pl.DataFrame({"sketch": made, "text": text}).select(pl.when(text.is_not_null()).then("sketch"))["sketch"]


def _check(threshold: float, ngram: int, permutations: int, recall: float) -> None:
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"dedup minhash: {name} must be above 0 and at most 1, found {share}")
    for name, count in (("ngram", ngram), ("permutations", permutations)):
        if not 1 <= count <= MOST:
            raise UserError(f"dedup minhash: {name} must be at least 1 and at most {MOST:,}, found {count:,}")


def _given(sketch: pl.Series, count: int) -> np.ndarray:
    """The sketches as an array, nothing copied where they are in one piece; all 0 where null."""
    kind = pl.Array(pl.UInt32, count + CONTENT)
    if sketch.dtype != kind:
        raise UserError(f"dedup minhash: the sketches are {sketch.dtype}, and those of these settings {kind}")
    arrow = sketch.to_arrow()
    made = np.asarray(arrow.values).reshape(-1, count + CONTENT)[arrow.offset : arrow.offset + len(arrow)]
    if sketch.null_count():
        made = np.where(sketch.is_null().to_numpy()[:, None], np.uint32(0), made)
    return made


def _unique(made: np.ndarray, order: np.ndarray, held: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The first row (in order) of each kind of equal ones; the rows equal to one of these; and which of these each is.

    Known rows are not among the second. Rows without words are in neither.
    """
    content = made[:, -CONTENT:]
    some = order[content[order].any(axis=1)]
    one = content[some, 0].astype(np.uint64) << np.uint64(32) | content[some, 1]
    two = content[some, 2].astype(np.uint64) << np.uint64(32) | content[some, 3]
    by = np.argsort(one, kind="stable")
    one, two = one[by], two[by]
    new = np.concatenate((np.ones(min(1, len(by)), bool), (one[1:] != one[:-1]) | (two[1:] != two[:-1])))
    leader = np.empty(len(by), np.int64)  # the first place in ``some`` of each one's kind
    leader[by] = by[new][np.cumsum(new) - 1]
    first = leader == np.arange(len(by))
    copy = ~first & ~held[some]
    return some[first], some[copy], (np.cumsum(first) - 1)[leader[copy]]


def _table(
    rows: int, line: np.ndarray, decided: tuple[np.ndarray, ...], copies: np.ndarray, first: np.ndarray
) -> pl.DataFrame:
    """Row numbers and similarities of the unique rows' decisions, and of their copies.

    A copy of a kept row duplicates that; one of a dropped row duplicates what that one does, and as nearly.
    """
    kept_for, similarity, through = np.full(rows, -1, np.int64), np.full(rows, np.nan), np.full(rows, -1, np.int64)
    out, value, via = decided
    dropped = np.flatnonzero(out >= 0)
    kept_for[line[dropped]], through[line[dropped]] = line[out[dropped]], line[via[dropped]]
    similarity[line[dropped]] = value[dropped]
    alone = out[first] < 0
    kept_for[copies] = line[np.where(alone, first, out[first])]
    through[copies] = line[np.where(alone, first, via[first])]
    similarity[copies] = np.where(alone, 1.0, value[first])
    table = pl.DataFrame({"duplicate_of": kept_for, "similarity": similarity, "via": through})
    return table.select(pl.when(pl.col("duplicate_of") >= 0).then(pl.all()).name.keep())
