"""Near-duplicates by meaning: rows whose embeddings have a cosine of at least ``threshold``.

Fewer than ``exact_below`` rows are all compared with each other. More are compared where they share a bucket of random
hyperplanes (``curate.algorithms.vectors.hyperplanes``), enough buckets that of the pairs exactly at the threshold a share of
``recall`` is expected to be found, and of nearer ones more; some rows are then compared with all, and what share of
their neighbours was found is said with the result. Every pair that decides is compared in full, so nothing is dropped
that is not near. Buckets are laid out by the rows there are: a second run, over what stayed, may find pairs the first
one missed. At low thresholds, where buckets would be crowded, all rows are compared with all kept ones, whatever
their number.
"""

import numpy as np
import polars as pl

from curate.algorithms.near_duplicates.clusters import Cluster, Keep, decide, priority
from curate.algorithms.vectors.connecting_pairs import connecting_pairs
from curate.algorithms.vectors.keep_dissimilar import Filtered, keep_dissimilar, measured_recall
from curate.algorithms.vectors.neighbours import true_cosines, unit
from curate.algorithms.vectors.row_hashes import content_sample, fingerprints
from schemas.errors import UserError


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
) -> pl.DataFrame | tuple[pl.DataFrame, str]:
    """Return, a row per row, ``duplicate_of`` (the kept row's number, null = kept), ``similarity`` and ``via``.

    ``embedding`` is an Array(Float32, d) column of unit vectors, which may lie on disk. Rows with a null, zero or NaN
    embedding and with a null or blank ``text`` are never duplicates. ``known`` rows stay and are not compared with each
    other. ``similarity`` is the true cosine to the kept row, null for kept rows: of those kept before it, the nearest,
    where ``cluster`` is ``keep_first``. ``via`` is the row within the threshold by which a dropped row is in the
    cluster: the same one, unless ``cluster`` is ``connected``. ``keep`` and ``cluster`` are explained in
    ``curate.algorithms.near_duplicates.clusters``. With the table comes a line on how many pairs were found, if there are rows to compare.
    Raises ``UserError`` for a setting out of its range.
    """
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"dedup semantic: {name} must be above 0 and at most 1, found {share}")
    vectors, usable = unit(embedding)
    usable &= text.str.contains(r"\S").fill_null(False).to_numpy()
    known = known.fill_null(False)
    order = priority(keep, text, score, known)
    order = order[usable[order]]
    if not len(order):
        return _table(len(embedding), *(np.zeros(0, np.int64),) * 4)
    held = int((known.to_numpy() & usable).sum())
    hashes = fingerprints(vectors, seed)
    head = _copies(vectors, order, hashes)
    own = head == np.arange(len(order))
    rows, held_copies = order[own], ~own & (np.arange(len(order)) < held)
    held -= int(held_copies.sum())
    filtered = keep_dissimilar(
        vectors,
        rows,
        held,
        content_sample(vectors, rows, hashes),
        threshold=threshold,
        recall=recall,
        exact_below=exact_below,
        seed=seed,
    )
    if cluster == "keep_first":
        kept_for, value, via = filtered.nearest, filtered.cosine, filtered.nearest
    else:
        kept_for, value, via = _connected(vectors, rows, held, threshold, filtered)
    # A copy goes with the first of its kind: dropped for it if it stays, else for what that one is dropped for.
    place = (np.cumsum(own) - 1)[head]
    copy, out = ~own & ~held_copies, kept_for[place] >= 0
    other = np.where(out, rows[kept_for[place]], np.where(copy, rows[place], -1))
    through = np.where(copy & ((cluster == "connected") | ~out), rows[place], np.where(out, rows[via[place]], -1))
    table = _table(len(embedding), order, other, np.where(out, value[place], 1.0), through)
    said = "exact" if filtered.plan is None else measured_recall(vectors, rows, held, threshold, filtered, seed)
    return table, said


def _copies(vectors: np.ndarray, order: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """For each place in ``order`` the first place with the very same vector."""
    head = np.arange(len(order))
    by = np.argsort(hashes[order], kind="stable")
    fresh = np.concatenate(([True], hashes[order[by[1:]]] != hashes[order[by[:-1]]]))
    first = by[np.flatnonzero(fresh)[np.cumsum(fresh) - 1]]
    maybe = first != by
    left, right = first[maybe], by[maybe]
    same = true_cosines(vectors, order[left], order[right]) == 1.0  # else two vectors have one hash
    head[right[same]] = left[same]
    return head


def _connected(
    vectors: np.ndarray, rows: np.ndarray, held: int, threshold: float, filtered: Filtered
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of connected places the first stays: for each place the one it is dropped for, their cosine, and ``via``."""
    pairs = connecting_pairs(vectors, rows, held, threshold, filtered)
    kept_for, value, via = decide(*pairs, len(rows), held, "connected")
    far = np.flatnonzero((kept_for >= 0) & np.isnan(value))
    value[far] = true_cosines(vectors, rows[far], rows[kept_for[far]])
    return kept_for, value, via


def _table(count: int, order: np.ndarray, other: np.ndarray, value: np.ndarray, through: np.ndarray) -> pl.DataFrame:
    """The answer in row order, from what is known of the rows ``order``; -1 is null."""
    of, near, via = np.full(count, -1, np.int64), np.full(count, np.nan), np.full(count, -1, np.int64)
    of[order], near[order], via[order] = other, value, through
    table = pl.DataFrame({"duplicate_of": of, "similarity": near, "via": via})
    dropped = pl.col("duplicate_of") >= 0
    return table.select(pl.when(dropped).then(name).alias(name) for name in table.columns)
