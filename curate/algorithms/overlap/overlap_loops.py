"""Compiled loops of ``benchmark_overlap``: find the benchmark row that shares the most n-grams with a text.

For each text: look up the hash of all its words among the benchmark's (it may be an equal text), look up its n-grams,
and compare it with the benchmark rows that have one of the rare ones among them. Every n-gram of the benchmark has a
number (``benchmark_index``).
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.overlap.bare_word_loops import hash_words, locate
from curate.algorithms.overlap.benchmark_index import GramIndex
from curate.algorithms.text.shingle_loops import hash_ngrams
from curate.algorithms.text.text_loops import longest_text

HEAVY = 2048  # benchmark rows to compare, above which the outcome is cached, and the first best row is taken
CACHED = 4096  # outcomes in the cache; a power of two
BASE = np.uint64(0x9E3779B97F4A7C15)
ONE, THREE, SEVEN = np.uint64(1), np.uint64(3), np.uint64(7)


class SharedGrams(NamedTuple):
    """The n-grams of a text that the benchmark has too.

    Attributes:
        words: The number of words of the text.
        place: For each shared n-gram, in the order of the text, the index of its first word.
        gram: For each of these, its number.
        distinct: The distinct numbers.
    """

    words: int
    place: np.ndarray
    gram: np.ndarray
    distinct: np.ndarray


class Cache(NamedTuple):
    """The outcomes of ``best_row`` by their key (0 = empty): the benchmark row and the share."""

    keys: np.ndarray
    rows: np.ndarray
    shares: np.ndarray


@compiled
def look_up(value: np.uint64, keys: np.ndarray, starts: np.ndarray, shift: np.uint64) -> int:
    """Return the index of a hash in sorted ``keys``, or -1; ``starts`` is where the hashes of each first bits begin."""
    bucket = np.int64(value >> shift)
    for at in range(starts[bucket], starts[bucket + 1]):
        if keys[at] == value:
            return at
    return -1


@compiled
def find_overlaps(
    data: np.ndarray,
    ends: np.ndarray,
    index: GramIndex,
    marks: np.ndarray,
    stamp: int,
    known: np.ndarray,
    matched: np.ndarray,
    share: np.ndarray,
    span: np.ndarray,
) -> int:
    """Write for each text the benchmark row that it matches (-1 = none), the share, and where the shared run stands.

    Args:
        data: The bytes of all texts (``word_bytes``).
        ends: Where each text begins in them, and the last ends.
        index: The benchmark.
        marks: Three rows, as long as the benchmark has n-grams or rows, with no value above ``stamp``: the last text
            with an n-gram, the last comparison with it, the last text that a row was compared with.
        stamp: The number of the last mark.
        known: Whether a benchmark row has the words of each text, all in the same order.
        matched: The row of each text that shares the most words in n-grams.
        share: The share of words.
        span: The first word of the longest run of shared n-grams and the word after its last, then the same in bytes.

    Returns:
        The number of the last mark now.
    """
    room = longest_text(ends, 0, len(ends) - 1) // 2 + 1
    word, gram = np.empty(room, np.uint64), np.empty(room, np.uint64)
    place, number, distinct = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    cache = Cache(np.zeros(CACHED, np.uint64), np.empty(CACHED, np.int64), np.empty(CACHED))
    for row in range(len(ends) - 1):
        matched[row], share[row] = -1, 0.0
        count = hash_words(data, ends[row], ends[row + 1], index.forms, word)
        gram[0] = 0  # the hash of a text of signs alone
        if count:
            hash_ngrams(word, count, count, gram)
        known[row] = look_up(gram[0], index.wholes, index.whole_starts, index.whole_shift) >= 0
        hits = 0
        if count >= index.n:
            hits = find_shared(gram, hash_ngrams(word, count, index.n, gram), index, place, number)
        if not hits:
            continue
        stamp += 1
        kinds = mark_distinct(number, hits, distinct, marks[0], stamp)
        shared = SharedGrams(count, place[:hits], number[:hits], distinct[:kinds])
        best, value, stamp = cached_best_row(shared, index, marks, stamp, cache)
        if best >= 0:
            matched[row], share[row] = best, value
            stamp += 1
            longest_run(shared, best, index, marks[1], stamp, span[row])
            locate(data, ends[row], ends[row + 1], index.forms, span[row])
    return stamp


@compiled
def find_shared(gram: np.ndarray, count: int, index: GramIndex, place: np.ndarray, number: np.ndarray) -> int:
    """Write the places and numbers of the n-grams of a text that the benchmark has; return how many."""
    hits = 0
    for at in range(count):
        value = gram[at]
        low = value & index.mask
        if (index.seen[np.int64(low >> THREE)] >> (low & SEVEN)) & ONE:  # a cheap test that few n-grams pass
            found = look_up(value, index.grams, index.gram_starts, index.gram_shift)
            if found >= 0:
                place[hits], number[hits] = at, found
                hits += 1
    return hits


@compiled
def mark_distinct(number: np.ndarray, hits: int, distinct: np.ndarray, marks: np.ndarray, stamp: int) -> int:
    """Mark the n-grams of a text, and write each of them once; return how many."""
    count = 0
    for at in range(hits):
        if marks[number[at]] != stamp:
            marks[number[at]] = stamp
            distinct[count] = number[at]
            count += 1
    return count


@compiled
def cached_best_row(
    shared: SharedGrams, index: GramIndex, marks: np.ndarray, stamp: int, cache: Cache
) -> tuple[int, float, int]:
    """Return ``best_row``; where many rows would be compared, the cached outcome if there is one."""
    work, key = work_and_key(shared, index)
    slot = np.int64(key & np.uint64(CACHED - 1))
    if work > HEAVY and cache.keys[slot] == key:
        return cache.rows[slot], cache.shares[slot], stamp
    best, value, stamp = best_row(shared, index, marks, stamp)
    cache.keys[slot], cache.rows[slot], cache.shares[slot] = key, best, value
    return best, value, stamp


@compiled
def work_and_key(shared: SharedGrams, index: GramIndex) -> tuple[int, np.uint64]:
    """Return how many benchmark rows are to be compared, at most, and a hash of all that the outcome depends on."""
    work, key = 0, ONE
    for number in shared.distinct:
        work += index.candidate_ends[number + 1] - index.candidate_ends[number]
        if index.of_row:
            work += index.gram_row_ends[number + 1] - index.gram_row_ends[number]
        key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(number)
    if index.of_row:
        for at in range(len(shared.place)):
            key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(shared.place[at])
            key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(shared.gram[at])
        key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(shared.words)
    key = (key ^ (key >> np.uint64(29))) * BASE
    return work, (key ^ (key >> np.uint64(32))) | ONE  # never zero, which is an empty slot


@compiled
def best_row(shared: SharedGrams, index: GramIndex, marks: np.ndarray, stamp: int) -> tuple[int, float, int]:
    """Return the benchmark row of the largest share that is large enough (else -1), the share, and the last mark."""
    best, value, text, bound = -1, 0.0, stamp, 1.0
    needed = max(1, np.int64(np.ceil(index.match * shared.words - 1e-9)))
    limit = rarity_limit(shared, index, needed) if index.of_row else 0
    if not index.of_benchmark:
        bound = words_covered(shared, index, np.int64(0)) / shared.words
    for number in shared.distinct:
        first, last = index.gram_row_ends[number], index.gram_row_ends[number + 1]
        rows = index.gram_rows[first : last if last - first <= limit else first]
        for some in (index.candidates[index.candidate_ends[number] : index.candidate_ends[number + 1]], rows):
            for row in some:
                if marks[2, row] == text:
                    continue
                marks[2, row] = text
                stamp += 1
                share = share_with_row(row, shared, needed, index, marks, text, stamp)
                if share > value or (share == value and share > 0 and row < best):
                    best, value = row, share
                if value >= bound and stamp - text > HEAVY:  # no other row shares more, and there may be very many
                    return best, value, stamp
    return best, value, stamp


@compiled
def rarity_limit(shared: SharedGrams, index: GramIndex, needed: int | np.int64) -> int:
    """Return in how many benchmark rows at most an n-gram must stand to be looked up; 0 if none is.

    A row that shares ``needed`` words of the text shares one of these n-grams, as the others together cover fewer. So
    what a benchmark repeats in every row (its instructions) hardly ever makes a row to compare.
    """
    limit = 0
    while limit < index.rows and words_covered(shared, index, limit) >= needed:
        limit = max(64, 8 * limit)
    return limit


@compiled
def words_covered(shared: SharedGrams, index: GramIndex, limit: int | np.int64) -> int:
    """Return how many words of the text are in n-grams that stand in more than ``limit`` benchmark rows."""
    covered, until = 0, 0
    for at in range(len(shared.place)):
        number = shared.gram[at]
        if index.gram_row_ends[number + 1] - index.gram_row_ends[number] > limit:
            covered += shared.place[at] + index.n - max(until, shared.place[at])
            until = shared.place[at] + index.n
    return covered


@compiled
def share_with_row(
    row: int,
    shared: SharedGrams,
    needed: int | np.int64,
    index: GramIndex,
    marks: np.ndarray,
    text: int,
    stamp: int,
) -> float:
    """Return the share of a benchmark row's words, or of the text's, in n-grams that both have; 0 if it is too small.

    It is 0 too where none of them tells (``needs_telling``).

    ``text`` is the mark of this text's n-grams, ``stamp`` the mark to give to the row's.
    """
    covered, until, first, told = 0, 0, index.row_ends[row], not index.needs_telling[row]
    for at in range(index.row_ends[row + 1] - first):
        number = index.row_grams[first + at]
        marks[1, number] = stamp
        if marks[0, number] == text:
            covered += at + index.n - max(until, at)
            until = at + index.n
            told |= index.telling[number]
    if not told:
        return 0.0
    share = covered / index.words[row] if index.of_benchmark and covered >= index.needed[row] else 0.0
    if index.of_row:
        covered, until = 0, 0
        for at in range(len(shared.place)):
            if marks[1, shared.gram[at]] == stamp:
                covered += shared.place[at] + index.n - max(until, shared.place[at])
                until = shared.place[at] + index.n
        if covered >= needed:
            share = max(share, covered / shared.words)
    return share


@compiled
def longest_run(
    shared: SharedGrams, row: int, index: GramIndex, marks: np.ndarray, stamp: int, span: np.ndarray
) -> None:
    """Write the first word of the longest run of n-grams that a benchmark row has too, and the word after its last."""
    for at in range(index.row_ends[row], index.row_ends[row + 1]):
        marks[index.row_grams[at]] = stamp
    first, before = 0, -2
    for at in range(len(shared.place)):
        if marks[shared.gram[at]] == stamp:
            if shared.place[at] != before + 1:
                first = shared.place[at]
            before = shared.place[at]
            if before + index.n - first > span[1] - span[0]:
                span[0], span[1] = first, before + index.n
