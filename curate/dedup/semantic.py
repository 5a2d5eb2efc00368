"""Find near-duplicates by meaning: rows whose embeddings have a cosine of at least ``threshold``.

Fewer than ``exact_below`` rows are all compared with each other. More are compared where they share a bucket of random
hyperplanes (``curate.algorithms.vectors.hyperplanes``), with enough buckets that of the pairs exactly at the threshold
a share of ``recall`` is expected to be found, and of nearer pairs more. The recall is then measured: a sample of rows
is compared with all, and the share found is reported with the result. Every pair that decides is compared in full, so
no row is dropped that is not near.

The buckets depend on the rows: a second run, over the rows that stayed, may find pairs that the first missed. At low
thresholds, where buckets would be crowded, all rows are compared with all kept ones, however many there are.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Duplicates, Keep, find_duplicates, priority
from curate.algorithms.vectors.connecting_pairs import connecting_pairs
from curate.algorithms.vectors.keep_dissimilar import Filtered, InBuckets, keep_dissimilar, measured_recall
from curate.algorithms.vectors.neighbours import true_cosines, unit
from curate.algorithms.vectors.row_hashes import content_sample, fingerprints
from schemas.errors import UserError


class Settings(NamedTuple):
    """The settings of ``dedup``."""

    threshold: float
    recall: float
    exact_below: int
    keep: Keep
    cluster: Cluster
    seed: int


def dedup(
    text: pl.Series,
    embedding: pl.Series,
    score: pl.Series,
    known: pl.Series,
    *,
    threshold: float = 0.95,
    recall: float = 0.99,
    exact_below: int = 20_000,
    keep: Keep = "first",
    cluster: Cluster = "keep_first",
    seed: int = 0,
) -> tuple[pl.DataFrame, str]:
    """Return, for each row, the kept row that it duplicates.

    Args:
        text: The texts. Null and blank ones are never duplicates.
        embedding: Unit vectors, Array(Float32, d), which may be memory-mapped. Rows with a null, zero or NaN vector are
            never duplicates.
        score: The scores for ``keep: best``.
        known: Rows of other data: they stay, and are not compared with each other.
        threshold: The least cosine of near-duplicates, in (0, 1].
        recall: The share of pairs at the threshold to find, in (0, 1].
        exact_below: The number of rows below which all are compared with each other.
        keep: The priority among near-duplicates (``clusters.priority``).
        cluster: The definition of a cluster (``clusters.find_duplicates``).
        seed: The seed of the hyperplanes and of the sample for measuring recall.

    Returns:
        ``duplicate_of`` (row number of the kept row), ``similarity`` (their true cosine) and ``via`` (the row within
        the threshold through which the row is in its cluster); all null for kept rows. With ``cluster: keep_first``,
        ``duplicate_of`` and ``via`` are the nearest row of those kept before it. Beside the table, a message about
        the recall, empty if there are no rows to compare.

    Raises:
        UserError: For a setting out of its range.
    """
    settings = Settings(threshold, recall, exact_below, keep, cluster, seed)
    return duplicates(text, embedding, score, known, settings)


def duplicates(
    text: pl.Series,
    embedding: pl.Series,
    score: pl.Series,
    known: pl.Series,
    settings: Settings,
    in_buckets: InBuckets | None = None,
) -> tuple[pl.DataFrame, str]:
    """Return what ``dedup`` does; ``in_buckets`` decides rows in place of the loops of this process, if it is given."""
    _check_settings(settings.threshold, settings.recall)
    vectors, usable = unit(embedding)
    usable &= text.str.contains(r"\S").fill_null(False).to_numpy()
    known = known.fill_null(False)
    order = priority(settings.keep, text, score, known)
    order = order[usable[order]]
    if not len(order):
        return _result(len(embedding), order, Duplicates(*(np.zeros(0, np.int64),) * 3)), ""
    found, message = _find(vectors, order, known.to_numpy()[order], settings, in_buckets)
    return _result(len(embedding), order, found), message


def _check_settings(threshold: float, recall: float) -> None:
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"dedup semantic: {name} must be above 0 and at most 1, found {share}")


def _find(
    vectors: np.ndarray,
    order: np.ndarray,
    is_known: np.ndarray,
    settings: Settings,
    in_buckets: InBuckets | None,
) -> tuple[Duplicates, str]:
    """The duplicates among the rows of ``order`` (row numbers), and a message about the recall."""
    hashes = fingerprints(vectors, settings.seed)
    first = _first_with_same_vector(vectors, order, hashes)
    is_first = first == np.arange(len(order))
    rows, known = order[is_first], int(is_known[is_first].sum())
    filtered = keep_dissimilar(
        vectors,
        rows,
        known,
        content_sample(vectors, rows, hashes),
        threshold=settings.threshold,
        recall=settings.recall,
        exact_below=settings.exact_below,
        seed=settings.seed,
        in_buckets=in_buckets,
    )
    found = Duplicates(filtered.nearest, filtered.cosine, filtered.nearest)
    if settings.cluster == "connected":
        found = _connected(vectors, rows, known, settings.threshold, filtered)
    found = _with_copies(found, rows, (np.cumsum(is_first) - 1)[first], ~is_first & ~is_known, settings.cluster)
    return found, measured_recall(vectors, rows, known, settings.threshold, filtered, settings.seed)


def _first_with_same_vector(vectors: np.ndarray, order: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """For each index in ``order``, the first index whose row has the very same vector."""
    head = np.arange(len(order))
    by = np.argsort(hashes[order], kind="stable")
    fresh = np.concatenate(([True], hashes[order[by[1:]]] != hashes[order[by[:-1]]]))
    first = by[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]]
    maybe = first != by
    left, right = first[maybe], by[maybe]
    same = true_cosines(vectors, order[left], order[right]) == 1.0  # otherwise two vectors share a hash
    head[right[same]] = left[same]
    return head


def _connected(vectors: np.ndarray, rows: np.ndarray, known: int, threshold: float, filtered: Filtered) -> Duplicates:
    """The duplicates among ``rows`` (indices), where the first row of each connected component stays."""
    pairs = connecting_pairs(vectors, rows, known, threshold, filtered)
    found = find_duplicates(*pairs, len(rows), known, "connected")
    distant = np.flatnonzero((found.kept_for >= 0) & np.isnan(found.similarity))
    found.similarity[distant] = true_cosines(vectors, rows[distant], rows[found.kept_for[distant]])
    return found


def _with_copies(
    found: Duplicates, rows: np.ndarray, unique: np.ndarray, is_copy: np.ndarray, cluster: Cluster
) -> Duplicates:
    """The duplicates among all rows (row numbers), given those among the rows with distinct vectors (indices).

    A copy is dropped for the first row with its vector if that stays, else for what that row is dropped for.

    Args:
        found: The duplicates among ``rows``, as indices in ``rows``.
        rows: The first row of each distinct vector.
        unique: For each row in order of priority, the index in ``rows`` of its vector.
        is_copy: Whether the row in that order is a copy to drop.
        cluster: The definition of a cluster.
    """
    first_dropped = found.kept_for[unique] >= 0
    kept_for = np.where(first_dropped, rows[found.kept_for[unique]], np.where(is_copy, rows[unique], -1))
    via_first = is_copy & ((cluster == "connected") | ~first_dropped)
    via = np.where(via_first, rows[unique], np.where(first_dropped, rows[found.via[unique]], -1))
    return Duplicates(kept_for, np.where(first_dropped, found.similarity[unique], 1.0), via)


def _result(count: int, order: np.ndarray, found: Duplicates) -> pl.DataFrame:
    """The result of ``dedup`` in row order, from what the rows of ``order`` duplicate; null for -1 and other rows."""
    kept_for, similarity, via = np.full(count, -1, np.int64), np.full(count, np.nan), np.full(count, -1, np.int64)
    kept_for[order], similarity[order], via[order] = found
    table = pl.DataFrame({"duplicate_of": kept_for, "similarity": similarity, "via": via})
    dropped = pl.col("duplicate_of") >= 0
    return table.select(pl.when(dropped).then(name).alias(name) for name in table.columns)
