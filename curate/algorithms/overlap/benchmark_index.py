"""Index a benchmark's texts by their word n-grams, for ``benchmark_overlap`` to look texts up in.

N-grams are of bare words in small letters (``bare_words``), so that a copy is found in whatever capitals and with
whatever marks it is written. A benchmark row of fewer words than ``ngram`` has no n-grams: only a text that equals it
matches, since its words may well be in any text ("What is the answer?"). ``BenchmarkIndex.short`` is the number of such
rows. Equal are texts that are the same after levelling (``curate.algorithms.text.levels``).

N-grams that have no word of three letters, nor a letter beyond ASCII ("1 2 3 4 5 6 7 8"), do not make a text match a
row by themselves, unless the row has no others.
"""

from typing import Literal, NamedTuple

import numpy as np
import polars as pl

from curate.algorithms.overlap.bare_words import BYTE_FORMS, word_bytes
from curate.algorithms.text.levels import Level, levelled
from schemas.errors import UserError, unknown

SHARES = ("benchmark", "row", "either")
NGRAMS = (2, 100)  # the least and the largest ``ngram``
ROUNDING = 1e-9
Match = float | Literal["any"]
LEVEL = Level(indents=False)  # a benchmark's code is often quoted with another indentation


class GramIndex(NamedTuple):
    """A benchmark in the form that the compiled loops look texts up in.

    Every distinct n-gram has a number: its index in ``grams``. Arrays named ``..._ends`` say where the values of each
    n-gram (or row) begin in another array, and at last where they end.

    Attributes:
        forms: ``bare_words.BYTE_FORMS``.
        n: Words in an n-gram.
        match: The least share of words in shared n-grams; 0 for any one n-gram.
        of_row: Whether the share of the text's words counts.
        of_benchmark: Whether the share of the benchmark row's words counts.
        rows: The number of benchmark rows.
        grams: The distinct n-grams, as sorted hashes (uint64).
        gram_starts: Where the hashes with the same first bits begin in ``grams``.
        gram_shift: 64 less the number of these bits.
        seen: A bit for each value of the last bits of a hash: whether an n-gram has it.
        mask: The mask of these last bits.
        telling: Of each n-gram, whether it has a word of three letters.
        needs_telling: Of each row, whether it has such an n-gram: then one must be shared.
        wholes: Hashes of all words of a row, sorted and distinct.
        whole_starts: Where the hashes with the same first bits begin in ``wholes``.
        whole_shift: 64 less the number of these bits.
        row_grams: The numbers of each row's n-grams, in the order of the text.
        row_ends: Where each row's begin in ``row_grams``.
        words: The number of words of each row.
        needed: The number of words of each row that must be in shared n-grams.
        gram_rows: The rows that have each n-gram.
        gram_row_ends: Where each n-gram's begin in ``gram_rows``.
        candidates: Those of ``gram_rows`` that must be compared for the share of the benchmark row's words.
        candidate_ends: Where each n-gram's begin in ``candidates``.
    """

    forms: np.ndarray
    n: int
    match: float
    of_row: bool
    of_benchmark: bool
    rows: int
    grams: np.ndarray
    gram_starts: np.ndarray
    gram_shift: np.uint64
    seen: np.ndarray
    mask: np.uint64
    telling: np.ndarray
    needs_telling: np.ndarray
    wholes: np.ndarray
    whole_starts: np.ndarray
    whole_shift: np.uint64
    row_grams: np.ndarray
    row_ends: np.ndarray
    words: np.ndarray
    needed: np.ndarray
    gram_rows: np.ndarray
    gram_row_ends: np.ndarray
    candidates: np.ndarray
    candidate_ends: np.ndarray


class BenchmarkIndex(NamedTuple):
    """A benchmark that ``find_benchmark_overlaps`` looks texts up in.

    Attributes:
        grams: Its n-grams.
        level: How texts are levelled.
        rows: The number of benchmark rows.
        n: Words in an n-gram.
        short: The number of benchmark rows without n-grams.
        texts: The levelled rows.
        first: Each distinct levelled ``text`` that is not empty, and the first ``row`` with it.
        first_short: The same of the rows without n-grams, in small letters where ``level`` ignores capitals.
    """

    grams: GramIndex
    level: Level
    rows: int
    n: int
    short: int
    texts: pl.Series
    first: pl.DataFrame
    first_short: pl.DataFrame


def make_index(
    against: pl.Series, *, ngram: int = 8, match: Match = 0.5, share_of: str = "benchmark", level: Level = LEVEL
) -> BenchmarkIndex:
    """Index a benchmark's texts.

    Args:
        against: The benchmark's texts, one a row.
        ngram: Words in an n-gram, 2 to 100 (8 to 13 are usual).
        match: The least share of words in shared n-grams, in (0, 1], or ``any`` for any one shared n-gram.
        share_of: Whose words the share is of: ``benchmark``, ``row`` (the text looked up) or ``either``.
        level: How texts are levelled before they are called equal.

    Returns:
        The index for ``find_benchmark_overlaps``.

    Raises:
        UserError: For a setting out of its range.
    """
    check_overlap_settings(ngram, match, share_of)
    texts = levelled(against, level)
    grams, short = _index_grams(against.cast(pl.String), texts, ngram, match, share_of)
    return BenchmarkIndex(
        grams=grams,
        level=level,
        rows=len(against),
        n=ngram,
        short=int(short.sum()),
        texts=texts,
        first=first_rows(texts, np.ones(len(against), bool)),
        first_short=first_rows(small_letters(texts, level), short),
    )


def small_letters(texts: pl.Series, level: Level) -> pl.Series:
    """Return levelled texts in small letters, where capitals are ignored."""
    return texts.str.to_lowercase() if level.case else texts


def first_rows(texts: pl.Series, wanted: np.ndarray) -> pl.DataFrame:
    """Return each distinct ``text`` of the wanted rows, without empty ones, and the number of its first ``row``."""
    rows = pl.DataFrame({"text": texts, "row": np.arange(len(texts)), "wanted": wanted})
    return rows.filter("wanted", pl.col("text") != "").unique("text", keep="first").select("text", "row")


def _index_grams(
    against: pl.Series, texts: pl.Series, ngram: int, match: Match, share_of: str
) -> tuple[GramIndex, np.ndarray]:
    """Return the n-grams of a benchmark, given its texts as they are and levelled; and which rows have none."""
    share = 0.0 if match == "any" else match
    hashes, telling, words, wholes = _hash_texts(against, ngram)
    counts = np.maximum(words - ngram + 1, 0)
    row_ends = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    grams, row_grams, gram_rows, holders = _number_grams(hashes, np.repeat(np.arange(len(against)), counts))
    gram_row_ends = _ends(holders, len(grams))
    needed = np.maximum(np.ceil(share * words - ROUNDING), 1).astype(np.int64)
    frequency, candidates = np.diff(gram_row_ends), np.zeros(len(holders), bool)
    if share_of != "row":
        candidates = frequency[holders] <= _rarity_limits(frequency[row_grams], row_ends, needed, ngram)[gram_rows]
    seen, mask = _seen_bits(grams)
    wholes = np.unique(wholes[(texts.fill_null("") != "").to_numpy()])
    (gram_starts, gram_shift), (whole_starts, whole_shift) = _by_first_bits(grams), _by_first_bits(wholes)
    tells, needs_telling = np.zeros(len(grams), bool), np.zeros(len(against), bool)
    tells[row_grams[telling]] = True
    needs_telling[gram_rows[tells[holders]]] = True
    index = GramIndex(
        forms=np.frombuffer(BYTE_FORMS, np.uint8),
        n=ngram,
        match=float(share),
        of_row=share_of != "benchmark",
        of_benchmark=share_of != "row",
        rows=len(against),
        grams=grams,
        gram_starts=gram_starts,
        gram_shift=gram_shift,
        seen=seen,
        mask=mask,
        telling=tells,
        needs_telling=needs_telling,
        wholes=wholes,
        whole_starts=whole_starts,
        whole_shift=whole_shift,
        row_grams=row_grams,
        row_ends=row_ends,
        words=words,
        needed=needed,
        gram_rows=gram_rows,
        gram_row_ends=gram_row_ends,
        candidates=gram_rows[candidates],
        candidate_ends=_ends(holders[candidates], len(grams)),
    )
    return index, counts == 0


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


def _hash_texts(text: pl.Series, ngram: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """The n-grams of all texts one after another, and which tell; of each text the number of words and their hash."""
    words, wholes = np.zeros(len(text), np.int64), np.zeros(len(text), np.uint64)
    if not len(text):  # as in a plan: nothing is compiled
        return np.zeros(0, np.uint64), np.zeros(0, bool), words, wholes
    from curate.algorithms.overlap.index_loops import hash_texts

    data, ends = word_bytes(text)
    room = (ends[-1] - ends[0]) // 2 + len(text) + 1
    grams, telling = np.empty(room, np.uint64), np.empty(room, bool)
    count = hash_texts(data, ends, np.frombuffer(BYTE_FORMS, np.uint8), ngram, grams, telling, words, wholes)
    return grams[:count], telling[:count], words, wholes


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
