"""Near-duplicates by shared word n-grams (MinHash and banding to find them, true Jaccard to decide); the first stays.

Going down the rows, a row is dropped if its n-grams have a Jaccard similarity of at least ``threshold`` with those of
a row that was kept. So nothing is dropped for its likeness to a dropped row, and of any cluster one row stays.
Precision does not hang on the sketch: every pair that decides is compared in full. Only recall does: of the pairs
exactly at the threshold a share of ``recall`` is expected to be found, of nearer ones more.

How words are cut, and what becomes of scripts without spaces and of texts shorter than ``ngram`` words, is said in
``curate.ngrams``. Three-word n-grams suit prompts of 10 to 60 words: at 0.8, one word changed in 30 still makes a
duplicate and one in 20 does not.

Broder 1997 (MinHash); Indyk and Motwani 1998 (bands); Chaudhuri et al. 2006 and Bayardo et al. 2007 (the prefix
filter that takes over where boilerplate puts everything in one bucket).
"""

import numpy as np
import polars as pl

from curate.ngrams import ngram_sets, normalise, shared, take_rows
from schemas.errors import UserError

BLOCK = 1 << 16  # n-grams hashed at a time: what stays in a core's cache
CROWDED = 256  # rows in a bucket from which on the bucket is cut up by rare n-grams
PAIRS = 8_000_000  # pairs compared at once; while there are more, big clusters are thinned out first


def dedup(
    text: pl.Series,
    *,
    threshold: float = 0.8,
    ngram: int = 3,
    permutations: int = 128,
    recall: float = 0.995,
    seed: int = 0,
) -> pl.DataFrame:
    """Return, a row per text, ``duplicate_of`` (row number of the kept row, null = kept) and ``similarity``.

    ``threshold`` and ``recall`` are shares in (0, 1], ``ngram`` is in words. ``similarity`` is the true Jaccard
    similarity of the two rows' n-gram sets, null for a kept row. Null and wordless texts are never duplicates.
    Raises ``UserError`` for a setting out of its range.
    """
    _check(threshold, ngram, permutations, recall)
    words = normalise(text)
    rows = pl.DataFrame({"words": words}).with_columns(row=pl.int_range(pl.len()))
    copies = rows.filter(pl.col("words") != "").with_columns(first=pl.col("row").first().over("words"))
    unique = copies.filter(pl.col("row") == pl.col("first"))
    grams, ends, _ = ngram_sets(unique["words"], ngram)
    keys = band_keys(grams, ends, *bands(threshold, permutations, recall), seed)
    kept_for, similarity = keep_first(grams, ends, keys, threshold)
    number = unique["row"].to_numpy()
    decided = pl.DataFrame({
        "first": number,
        "near": pl.Series(number[np.maximum(kept_for, 0)], dtype=pl.Int64).set(pl.Series(kept_for < 0), None),
        "jaccard": similarity,
    })  # fmt: skip
    found = copies.join(decided, on="first").select(
        "row",
        duplicate_of=pl.coalesce("near", pl.when(pl.col("row") != pl.col("first")).then("first")),
        similarity=pl.when(pl.col("near").is_not_null()).then("jaccard").otherwise(1.0),
    )
    # A copy of a dropped row duplicates the row that one was dropped for, and as nearly.
    result = rows.select("row").join(found, on="row", how="left", maintain_order="left")
    dropped = pl.col("duplicate_of").is_not_null()
    return result.select(pl.col("duplicate_of").cast(pl.Int64), pl.when(dropped).then("similarity").cast(pl.Float64))


def bands(threshold: float, permutations: int, recall: float) -> tuple[int, int]:
    """Return (bands, hashes in a band): the longest bands that still find ``recall`` of the pairs at ``threshold``."""
    for size in range(permutations, 1, -1):
        count = permutations // size
        if 1 - (1 - threshold**size) ** count >= recall:
            return count, size
    return permutations, 1


def _check(threshold: float, ngram: int, permutations: int, recall: float) -> None:
    for name, share in (("threshold", threshold), ("recall", recall)):
        if not 0 < share <= 1:
            raise UserError(f"dedup minhash: {name} must be above 0 and at most 1, found {share}")
    for name, count in (("ngram", ngram), ("permutations", permutations)):
        if count < 1:
            raise UserError(f"dedup minhash: {name} must be at least 1, found {count}")


def keep_first(
    grams: np.ndarray, ends: np.ndarray, keys: np.ndarray, threshold: float, crowded: int = CROWDED, pairs: int = PAIRS
) -> tuple[np.ndarray, np.ndarray]:
    """Go down the rows of ``ngram_sets``, with their band ``keys`` (bands x rows), and keep the first of their kind.

    Returns for each row the kept row it is near to (-1 = it is kept itself) and their similarity. ``crowded`` and
    ``pairs`` trade time for memory and change nothing else.
    """
    rows = len(ends) - 1
    kept_for, similarity = np.full(rows, -1, np.int64), np.zeros(rows)
    bucket, row = _buckets(keys)
    bucket, row = _split_crowded(bucket, row, grams, ends, threshold, crowded)
    while _pair_count(bucket) > pairs:
        # Rows that are first wherever they are have nothing before them: they stay, and their buckets shrink.
        first = np.concatenate(([True], bucket[1:] != bucket[:-1]))
        leader = row[first][np.cumsum(first) - 1]
        stays = np.zeros(rows, bool)
        stays[leader] = True
        stays[row[~first]] = False
        left, right = _distinct(leader[~first & stays[leader]], row[~first & stays[leader]], rows)
        jaccard = _jaccard(grams, ends, left, right)
        near = jaccard >= threshold
        left, right, jaccard = left[near][::-1], right[near][::-1], jaccard[near][::-1]
        kept_for[right], similarity[right] = left, jaccard  # written last, the lowest kept row wins
        open_ = ~stays[row] & (kept_for[row] < 0)
        bucket, row = _shared_only(bucket[open_], row[open_])
    left, right = _distinct(*_all_pairs(bucket, row), rows)
    jaccard = _jaccard(grams, ends, left, right)
    near = jaccard >= threshold
    for keep, drop, value in zip(left[near].tolist(), right[near].tolist(), jaccard[near].tolist(), strict=True):
        if kept_for[keep] < 0 and kept_for[drop] < 0:  # pairs are in order of ``keep``, whose own fate is settled
            kept_for[drop], similarity[drop] = keep, value
    return kept_for, similarity


def band_keys(grams: np.ndarray, ends: np.ndarray, count: int, size: int, seed: int) -> np.ndarray:
    """Sketch every row: one key a band (uint64, ``count`` x rows), equal where all ``size`` minima are equal.

    The permutations are products with odd numbers modulo 2**32 over n-gram hashes, which are random already. Rows of
    like size are laid side by side, so that minima are taken over whole lines of rows at a time.
    """
    odd = np.random.default_rng(seed).integers(0, 1 << 31, (count, size), dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    values = grams.astype(np.uint32)
    sizes = np.diff(ends)
    order = np.argsort(sizes, kind="stable")
    keys = np.zeros((count, len(sizes)), np.uint64)
    low = int(np.searchsorted(sizes[order], 1))
    while low < len(order):
        high = low + max(1, BLOCK // int(sizes[order[low]]))
        while (block := order[low:high]).size > 1 and int(sizes[block[-1]]) * block.size > 2 * BLOCK:
            high = low + block.size // 2
        height = np.arange(sizes[block[-1]])[:, None]
        lines = values[ends[block] + np.minimum(height, sizes[block] - 1)]
        product = np.empty_like(lines)
        for band in range(count):
            key = np.zeros(block.size, np.uint64)
            for factor in odd[band]:
                key = (key ^ (key >> np.uint64(29))) * np.uint64(0xD6E8FEB86659FD93)
                key += np.multiply(lines, factor, out=product).min(axis=0)
            keys[band, block] = key
        low += block.size
    return keys[:, sizes > 0] if (sizes == 0).any() else keys


def _buckets(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (bucket, row) of the rows that share a band's key with another, sorted by bucket, then row."""
    parts, used = [], 0
    for band in keys:
        order = np.argsort(band, kind="stable")
        bucket, row = _shared_only(_group(band[order]), order)
        parts.append((bucket + used, row))
        used += len(band)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _split_crowded(
    bucket: np.ndarray, row: np.ndarray, grams: np.ndarray, ends: np.ndarray, threshold: float, crowded_from: int
) -> tuple[np.ndarray, np.ndarray]:
    """Replace crowded buckets by one for each rare n-gram; no pair within the threshold is lost.

    Two sets of Jaccard similarity t share at least ``t * size`` members; so, all n-grams put in one order (rarest
    first), the first ``size - ceil(t * size) + 1`` of the one and of the other have a member in common.
    """
    group = _group(bucket)
    crowded = (np.bincount(group) > crowded_from)[group] if len(group) else np.zeros(0, bool)
    if not crowded.any():
        return bucket, row
    rows = np.unique(row[crowded])
    values, owner = take_rows(grams, ends, rows)
    _, gram, spread = np.unique(values, return_inverse=True, return_counts=True)
    order = np.lexsort((gram, spread[gram], owner))
    gram, owner = gram[order], owner[order]
    sizes = np.bincount(owner, minlength=len(rows))
    place = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    rare = place < (sizes - np.ceil(threshold * sizes - 1e-9) + 1)[owner]
    gram, owner = gram[rare], rows[owner[rare]]
    order = np.lexsort((owner, gram))
    extra = _shared_only(gram[order] + (bucket[-1] + 1), owner[order])
    return np.concatenate((bucket[~crowded], extra[0])), np.concatenate((row[~crowded], extra[1]))


def _group(sorted_keys: np.ndarray) -> np.ndarray:
    """Number the runs of equal keys 0, 1, 2 ..."""
    if not len(sorted_keys):
        return np.zeros(0, np.int64)
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(sorted_keys[1:] != sorted_keys[:-1])))


def _shared_only(bucket: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    group = _group(bucket)
    several = (np.bincount(group) > 1)[group] if len(group) else np.zeros(0, bool)
    return bucket[several], row[several]


def _pair_count(bucket: np.ndarray) -> int:
    sizes = np.bincount(_group(bucket))
    return int((sizes * (sizes - 1) // 2).sum())


def _all_pairs(bucket: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every pair of rows of a bucket, the lower row number first."""
    group = _group(bucket)
    after = np.cumsum(np.bincount(group))[group] - np.arange(len(group)) - 1 if len(group) else group
    left = np.repeat(np.arange(len(row)), after)
    right = left + 1 + np.arange(len(left)) - np.repeat(np.cumsum(after) - after, after)
    return row[left], row[right]


def _distinct(left: np.ndarray, right: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Leave out repeated pairs; what is left is sorted by the first row, then the second."""
    pair = np.unique(left * max(rows, 1) + right)
    return pair // max(rows, 1), pair % max(rows, 1)


def _jaccard(grams: np.ndarray, ends: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    both = shared(grams, ends, left, right)
    sizes = np.diff(ends)
    return both / np.maximum(sizes[left] + sizes[right] - both, 1)
