"""Index a benchmark's texts by their word n-grams, for ``benchmark_overlap`` to look texts up in.

``curate.algorithms.text.levels`` defines words, its units. N-grams are compared in small letters. A benchmark row of
fewer words than ``ngram`` has no n-grams: only a text that equals it matches, since its words may well be in any text
("What is the answer?"). ``BenchmarkIndex.short`` is the number of such rows.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.text.levels import Level, levelled_bytes
from schemas.errors import UserError, unknown

SHARES = ("benchmark", "row", "either")
NGRAMS = (2, 100)  # the least and the largest ``ngram``
ROUNDING = 1e-9
Match = float | Literal["any"]
LEVEL = Level(indents=False)  # a benchmark's code is often quoted with another indentation


class BenchmarkIndex(NamedTuple):
    """A benchmark in the form that the compiled loops look texts up in.

    Every distinct n-gram has a number: its index in ``grams``. Arrays named ``..._ends`` say where the values of each
    n-gram (or row) begin in another array, and at last where they end.

    Attributes:
        level: How the texts are levelled.
        n: Words in an n-gram.
        match: The least share of words in shared n-grams; 0 for any one n-gram.
        of_row: Whether the share of the text's words counts.
        of_benchmark: Whether the share of the benchmark row's words counts.
        rows: The number of benchmark rows.
        texts: The levelled texts, as bytes.
        text_ends: Where each begins in ``texts``.
        short: The number of benchmark rows without n-grams.
        grams: The distinct n-grams, as sorted hashes (uint64).
        gram_starts: Where the hashes with the same first bits begin in ``grams``.
        gram_shift: 64 less the number of these bits.
        seen: A bit for each value of the last bits of a hash: whether an n-gram has it.
        mask: The mask of these last bits.
        wholes: Hashes of levelled rows, sorted and distinct.
        whole_starts: Where the hashes with the same first bits begin in ``wholes``.
        whole_shift: 64 less the number of these bits.
        whole_row: The first row with each of ``wholes``.
        row_grams: The numbers of each row's n-grams, in the order of the text.
        row_ends: Where each row's begin in ``row_grams``.
        words: The number of words of each row.
        needed: The number of words of each row that must be in shared n-grams.
        gram_rows: The rows that have each n-gram.
        gram_row_ends: Where each n-gram's begin in ``gram_rows``.
        candidates: Those of ``gram_rows`` that must be compared for the share of the benchmark row's words.
        candidate_ends: Where each n-gram's begin in ``candidates``.
    """

    level: Level
    n: int
    match: float
    of_row: bool
    of_benchmark: bool
    rows: int
    texts: np.ndarray
    text_ends: np.ndarray
    short: int
    grams: np.ndarray
    gram_starts: np.ndarray
    gram_shift: np.uint64
    seen: np.ndarray
    mask: np.uint64
    wholes: np.ndarray
    whole_starts: np.ndarray
    whole_shift: np.uint64
    whole_row: np.ndarray
    row_grams: np.ndarray
    row_ends: np.ndarray
    words: np.ndarray
    needed: np.ndarray
    gram_rows: np.ndarray
    gram_row_ends: np.ndarray
    candidates: np.ndarray
    candidate_ends: np.ndarray


def make_index(
    against: pl.Series, *, ngram: int = 8, match: Match = 0.5, share_of: str = "benchmark", level: Level = LEVEL
) -> BenchmarkIndex:
    """Index a benchmark's texts.

    Args:
        against: The benchmark's texts, one a row.
        ngram: Words in an n-gram, 2 to 100 (8 to 13 are usual).
        match: The least share of words in shared n-grams, in (0, 1], or ``any`` for any one shared n-gram.
        share_of: Whose words the share is of: ``benchmark``, ``row`` (the text looked up) or ``either``.
        level: How texts are levelled before they are compared.

    Returns:
        The index for ``find_benchmark_overlaps``.

    Raises:
        UserError: For a setting out of its range.
    """
    check_overlap_settings(ngram, match, share_of)
    share = 0.0 if match == "any" else match
    hashes, words, wholes, texts, text_ends = _hash_texts(against.cast(pl.String), ngram, level)
    counts = np.maximum(words - ngram + 1, 0)
    row_ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    grams, row_grams, gram_rows, holders = _number_grams(hashes, np.repeat(np.arange(len(against)), counts))
    gram_row_ends = _ends(holders, len(grams))
    needed = np.maximum(np.ceil(share * words - ROUNDING), 1).astype(np.int64)
    frequency, candidates = np.diff(gram_row_ends), np.zeros(len(holders), bool)
    if share_of != "row":
        candidates = frequency[holders] <= _rarity_limits(frequency[row_grams], row_ends, needed, ngram)[gram_rows]
    seen, mask = _seen_bits(grams)
    wholes, whole_row = _distinct_wholes(words, wholes)
    (gram_starts, gram_shift), (whole_starts, whole_shift) = _by_first_bits(grams), _by_first_bits(wholes)
    return BenchmarkIndex(
        level=level,
        n=ngram,
        match=float(share),
        of_row=share_of != "benchmark",
        of_benchmark=share_of != "row",
        rows=len(against),
        texts=texts,
        text_ends=text_ends,
        short=int((counts == 0).sum()),
        grams=grams,
        gram_starts=gram_starts,
        gram_shift=gram_shift,
        seen=seen,
        mask=mask,
        wholes=wholes,
        whole_starts=whole_starts,
        whole_shift=whole_shift,
        whole_row=whole_row,
        row_grams=row_grams,
        row_ends=row_ends,
        words=words,
        needed=needed,
        gram_rows=gram_rows,
        gram_row_ends=gram_row_ends,
        candidates=gram_rows[candidates],
        candidate_ends=_ends(holders[candidates], len(grams)),
    )


def check_overlap_settings(ngram: int, match: float | str, share_of: str) -> None:
    """Raise ``UserError`` for a setting of ``make_index`` that is out of its range."""
    for name, value, kinds in (("ngram", ngram, int), ("match", match, int | float)):
        if match == "any" and name == "match":
            continue
        if isinstance(value, bool) or not isinstance(value, kinds):
            also = ", or 'any'" if name == "match" else ""
            raise UserError(f"decontaminate: {name}: expected a number{also}, found {value!r}")
    if not NGRAMS[0] <= ngram <= NGRAMS[1]:
        raise UserError(
            f"decontaminate: ngram must be {NGRAMS[0]} to {NGRAMS[1]} words (8 to 13 are usual), found {ngram}"
        )
    if not isinstance(match, str) and not 0 < match <= 1:
        raise UserError(f"decontaminate: match must be above 0 and at most 1, or 'any', found {match}")
    if share_of not in SHARES:
        raise unknown("share_of", share_of, SHARES, "decontaminate")


def _hash_texts(text: pl.Series, ngram: int, level: Level) -> tuple[np.ndarray, ...]:
    """The n-grams of all texts one after another, of each text the number of words and a hash, the levelled texts."""
    words, wholes = np.zeros(len(text), np.int64), np.zeros(len(text), np.uint64)
    if not len(text):  # as in a plan: nothing is compiled
        return np.zeros(0, np.uint64), words, wholes, np.zeros(0, np.uint8), np.zeros(1, np.int64)
    from curate.algorithms.overlap.index_loops import hash_texts

    data, ends = levelled_bytes(text, level)
    grams = np.empty(ends[-1] // 2 + len(text) + 1, np.uint64)
    count = hash_texts(data, ends, ngram, level.case, grams, words, wholes)
    return grams[:count], words, wholes, data[: ends[-1]].copy(), ends


def _distinct_wholes(words: np.ndarray, wholes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct hashes of the rows with words, sorted, and the first row of each."""
    rows = np.flatnonzero(words > 0)
    distinct, first = np.unique(wholes[rows], return_index=True)
    return distinct, rows[first]


def _number_grams(hashes: np.ndarray, row: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Number the n-grams of all rows, given the row that each stands in.

    Returns the distinct n-grams (sorted); the number of each of ``hashes``; and every distinct pair of a row and an
    n-gram's number, sorted by the number.
    """
    order = np.argsort(hashes, kind="stable")
    hashes, row = hashes[order], row[order]
    new = np.append(True, hashes[1:] != hashes[:-1])[: len(hashes)]
    number_sorted = np.cumsum(new) - 1
    number = np.empty(len(hashes), np.int64)
    number[order] = number_sorted
    distinct = new | np.append(True, row[1:] != row[:-1])[: len(hashes)]
    return hashes[new], number, row[distinct], number_sorted[distinct]


def _ends(sorted_numbers: np.ndarray, count: int) -> np.ndarray:
    """Return where each of the numbers 0 to ``count`` - 1 begins among the sorted ones, and where the last ends."""
    return np.searchsorted(sorted_numbers, np.arange(count + 1)).astype(np.int64)


def _by_first_bits(keys: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """Return where the sorted hashes with the same first bits begin, and 64 less the number of these bits.

    There are about as many values of these bits as there are hashes.
    """
    bits = max(1, len(keys).bit_length())
    shift = np.uint64(64 - bits)
    bounds = np.arange(1 << bits, dtype=np.uint64) << shift
    return np.append(np.searchsorted(keys, bounds), len(keys)).astype(np.int64), shift


def _seen_bits(grams: np.ndarray) -> tuple[np.ndarray, np.uint64]:
    """Packed bits that say which values the last bits of the n-grams have, and the mask of these last bits."""
    seen = np.zeros(1 << max(10, int(16 * len(grams)).bit_length()), bool)
    seen[grams & np.uint64(len(seen) - 1)] = True
    return np.packbits(seen, bitorder="little"), np.uint64(len(seen) - 1)


def _rarity_limits(frequency: np.ndarray, row_ends: np.ndarray, needed: np.ndarray, n: int) -> np.ndarray:
    """In how many rows at most an n-gram of each row must stand to make it a candidate.

    A text that shares ``needed`` words of the row shares one of these n-grams, as the others cover fewer words.
    """
    row, limit = np.repeat(np.arange(len(needed)), np.diff(row_ends)), np.full(len(needed), 64)
    while True:
        enough = _words_covered(frequency > limit[row], row_ends, n) >= needed
        if not enough.any():
            return limit
        limit[enough] *= 8


def _words_covered(chosen: np.ndarray, row_ends: np.ndarray, n: int) -> np.ndarray:
    """Return how many words of each row are in its ``chosen`` n-grams."""
    at = np.flatnonzero(chosen)
    row = np.searchsorted(row_ends, at, side="right") - 1
    step = np.minimum(np.append(at[1:] - at[:-1], n)[: len(at)], n)  # its words up to the next one, or all of them
    step[np.append(row[1:] != row[:-1], True)[: len(at)]] = n
    return np.bincount(row, step, minlength=len(row_ends) - 1).astype(np.int64)
