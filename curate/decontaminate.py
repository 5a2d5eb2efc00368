"""Which texts contain a benchmark's: by shared word n-grams, as GPT-3 and Tulu 3 did, with the row that matched.

How words are cut is said in ``curate.ngrams``. A text of fewer words than ``ngram`` has one n-gram, itself, and so
matches only a benchmark row that is equal to it after normalising.
"""

from typing import NamedTuple

import numpy as np
import polars as pl

from curate.ngrams import ngram_sets, normalise, shared
from schemas.errors import UserError

ROWS = 50_000  # texts worked on at a time
PAIRS = 2_000_000  # candidate pairs compared at a time, about


def decontaminate(text: pl.Series, against: pl.Series, *, ngram: int = 8, match: float = 0.5) -> pl.DataFrame:
    """Return, a row per text, ``matched`` (row number in ``against``, null = clean) and ``overlap``.

    ``overlap`` is the share of the text's distinct n-grams that stand in the matched row, at least ``match`` (in
    (0, 1]), null where clean. The match is the row with the largest, of equals the first. Null and wordless texts are
    clean. Raises ``UserError`` for a setting out of its range.
    """
    if not 0 < match <= 1:
        raise UserError(f"decontaminate: match must be above 0 and at most 1, found {match}")
    if ngram < 1:
        raise UserError(f"decontaminate: ngram must be at least 1, found {ngram}")
    index = _index(against, ngram)
    parts = [_match(normalise(text[low : low + ROWS]), index, ngram, match) for low in range(0, len(text), ROWS)]
    return pl.concat([pl.DataFrame(schema={"matched": pl.Int64, "overlap": pl.Float64}), *parts])


class _Index(NamedTuple):
    """A benchmark's n-grams: in order of hash, with the row of each; row by row; and a table of hashes' low bits."""

    sorted_grams: np.ndarray
    holder: np.ndarray
    grams: np.ndarray
    ends: np.ndarray
    seen: np.ndarray


def _index(against: pl.Series, ngram: int) -> _Index:
    grams, ends, _ = ngram_sets(normalise(against), ngram)
    order = np.argsort(grams, kind="stable")
    seen = np.zeros(1 << max(10, (8 * len(grams)).bit_length()), bool)
    seen[grams & np.uint64(len(seen) - 1)] = True
    return _Index(grams[order], np.repeat(np.arange(len(against)), np.diff(ends))[order], grams, ends, seen)


def _match(words: pl.Series, index: _Index, ngram: int, match: float) -> pl.DataFrame:
    grams, ends, _ = ngram_sets(words, ngram)
    sizes = np.diff(ends)
    needed = np.maximum(np.ceil(match * sizes - 1e-9), 1).astype(np.int64)
    row, first, spread = _look_up(grams, sizes, needed, index)
    # A matched row holds at least `needed` of the n-grams, so one at least of any `size - needed + 1` of them. Of these
    # the rarest are taken: what a benchmark says in every row (its instructions) hardly ever makes a pair to compare.
    order = np.lexsort((spread, row))
    row, first, spread = row[order], first[order], spread[order]
    present = np.bincount(row, minlength=len(words))
    place = np.arange(len(row)) - np.repeat(np.cumsum(present) - present, present)
    tried = place < (present - needed + 1)[row]
    row, first, spread = row[tried], first[tried], spread[tried]
    both = np.concatenate((grams, index.grams)), np.concatenate((ends, ends[-1] + index.ends[1:]))
    best, overlap = np.full(len(words), -1), np.zeros(len(words))
    work, low = np.cumsum(spread), 0
    while low < len(row):
        high = max(low + 1, int(np.searchsorted(work, (work[low - 1] if low else 0) + PAIRS)))
        times = spread[low:high]
        at = np.arange(times.sum()) + np.repeat(first[low:high] - np.cumsum(times) + times, times)
        pair = np.unique(np.repeat(row[low:high], times) * len(index.ends) + index.holder[at])
        left, right = pair // len(index.ends), pair % len(index.ends)
        share = shared(*both, left, len(words) + right) / sizes[left]
        top = np.lexsort((right, -share, left))
        top = top[np.concatenate(([True], left[top][1:] != left[top][:-1]))]
        left, right, share = left[top], right[top], share[top]
        better = (share > overlap[left]) | ((share == overlap[left]) & (right < best[left]))
        best[left[better]], overlap[left[better]] = right[better], share[better]
        low = high
    hit = pl.Series(overlap * sizes >= needed) & pl.Series(best >= 0)
    return pl.DataFrame({"matched": best, "overlap": overlap}).select(
        matched=pl.when(hit).then("matched"), overlap=pl.when(hit).then("overlap"))  # fmt: skip


def _look_up(
    grams: np.ndarray, sizes: np.ndarray, needed: np.ndarray, index: _Index
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find the n-grams that the benchmark has, of the texts that have ``needed`` of them.

    Returns for each its row, where it begins in the benchmark's sorted ones, and how many there are of it.
    """
    row = np.repeat(np.arange(len(sizes)), sizes)
    keep = _enough(index.seen[grams & np.uint64(len(index.seen) - 1)], row, needed)  # a quick look that few pass
    grams, row = grams[keep], row[keep]
    first = np.searchsorted(index.sorted_grams, grams)
    spread = np.searchsorted(index.sorted_grams, grams, side="right") - first
    keep = _enough(spread > 0, row, needed)
    return row[keep], first[keep], spread[keep]


def _enough(known: np.ndarray, row: np.ndarray, needed: np.ndarray) -> np.ndarray:
    """Narrow ``known`` down to the rows that have ``needed`` of them."""
    return known & (np.bincount(row[known], minlength=len(needed)) >= needed)[row]
