"""Compiled loops of ``curate/algorithms/overlap/benchmark_overlap.py``: which benchmark row shares the most n-grams with a text.

Every n-gram that stands in the benchmark has a number, in order of their hashes. ``index`` is that module's ``Index``.
"""

from typing import Any

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.shingle_loops import SPACE, cut, roll

HEAVY = 2048  # benchmark rows to look at, from which on it pays to remember what came of it
REMEMBERED = 4096  # a power of two
BASE = np.uint64(0x9E3779B97F4A7C15)
ONE, THREE, SEVEN = np.uint64(1), np.uint64(3), np.uint64(7)


@compiled
def hash_texts(
    data: np.ndarray,
    ends: np.ndarray,
    level: np.ndarray,
    n: int,
    gram: np.ndarray,
    words: np.ndarray,
    wholes: np.ndarray,
) -> int:
    """Write all n-grams of all texts one after another, and each text's number of words and its whole hash.

    Returns how many n-grams there are; ``gram`` has room for one more than every other byte.
    """
    longest = 0
    for row in range(len(ends) - 1):
        longest = max(longest, ends[row + 1] - ends[row])
    word, total = np.empty(longest // 2 + 1, np.uint64), np.int64(0)
    for row in range(len(ends) - 1):
        count = cut(data, ends[row], ends[row + 1], level, False, word)
        words[row] = count
        if count:
            roll(word, count, count, wholes[row:])
        if count >= n:
            total += roll(word, count, n, gram[total:])
    return total


@compiled
def look_up(value: np.uint64, keys: np.ndarray, starts: np.ndarray, shift: np.uint64) -> int:
    """Find a hash among sorted ones, of which ``starts`` says where those with the same first bits begin; -1 = no."""
    bucket = np.int64(value >> shift)
    for at in range(starts[bucket], starts[bucket + 1]):
        if keys[at] == value:
            return at
    return -1


@compiled
def find_overlaps(
    data: np.ndarray,
    ends: np.ndarray,
    level: np.ndarray,
    index: Any,
    marks: np.ndarray,
    stamp: int,
    matched: np.ndarray,
    share: np.ndarray,
    span: np.ndarray,
) -> int:
    """For each text: the benchmark row it matches (-1 = none), and how much of which is shared.

    ``share`` is 2 where the two are equal. ``span`` holds the longest run of shared n-grams: its first word, the one
    after its last, and the same in bytes. ``marks`` are three rows as long as the benchmark has rows or n-grams, in
    which nothing exceeds ``stamp``; returns the largest number in it now.
    """
    longest = 0
    for row in range(len(ends) - 1):
        longest = max(longest, ends[row + 1] - ends[row])
    room = longest // 2 + 1
    word, gram = np.empty(room, np.uint64), np.empty(room, np.uint64)
    place, hit, kinds = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    keys, rows, shares = np.zeros(REMEMBERED, np.uint64), np.empty(REMEMBERED, np.int64), np.empty(REMEMBERED)
    for row in range(len(ends) - 1):
        matched[row], share[row] = -1, 0.0
        count = cut(data, ends[row], ends[row + 1], level, False, word)
        if not count:
            continue
        roll(word, count, count, gram)
        at = look_up(gram[0], index.wholes, index.whole_starts, index.whole_shift)
        if at >= 0:
            matched[row], share[row] = index.whole_row[at], 2.0
            continue
        hits = known_grams(gram, roll(word, count, index.n, gram), index, place, hit) if count >= index.n else 0
        if not hits:
            continue
        stamp += 1
        distinct = mark(hit, hits, kinds, marks[0], stamp)
        work, key = to_do(hits, place, hit, distinct, kinds, count, index)
        slot = np.int64(key & np.uint64(REMEMBERED - 1))
        if work > HEAVY and keys[slot] == key:
            best, value = rows[slot], shares[slot]
        else:
            best, value, stamp = compare(count, hits, place, hit, distinct, kinds, index, marks, stamp)
            keys[slot], rows[slot], shares[slot] = key, best, value
        if best >= 0:
            matched[row], share[row] = best, value
            stamp += 1
            longest_run(hits, place, hit, best, index, marks[1], stamp, span[row])
            locate(data, ends[row], ends[row + 1], level, span[row])
    return stamp


@compiled
def known_grams(gram: np.ndarray, count: int, index: Any, place: np.ndarray, hit: np.ndarray) -> int:
    """Write where in a text those n-grams stand that the benchmark has, and their numbers; return how many."""
    hits = 0
    for at in range(count):
        value = gram[at]
        low = value & index.mask
        if (index.seen[np.int64(low >> THREE)] >> (low & SEVEN)) & ONE:  # a quick look that few pass
            number = look_up(value, index.grams, index.gram_starts, index.gram_shift)
            if number >= 0:
                place[hits], hit[hits] = at, number
                hits += 1
    return hits


@compiled
def mark(hit: np.ndarray, hits: int, kinds: np.ndarray, marks: np.ndarray, stamp: int) -> int:
    """Mark the n-grams of a text and write each once; return how many."""
    distinct = 0
    for at in range(hits):
        if marks[hit[at]] != stamp:
            marks[hit[at]] = stamp
            kinds[distinct] = hit[at]
            distinct += 1
    return distinct


@compiled
def to_do(
    hits: int, place: np.ndarray, hit: np.ndarray, distinct: int, kinds: np.ndarray, count: int, index: Any
) -> tuple[int, np.uint64]:
    """Say how many benchmark rows there are to look at, at most, and hash what the outcome depends on."""
    work, key = 0, ONE
    for at in range(distinct):
        number = kinds[at]
        work += index.reach_ends[number + 1] - index.reach_ends[number]
        if index.of_row:
            work += index.holder_ends[number + 1] - index.holder_ends[number]
        key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(number)
    if index.of_row:
        for at in range(hits):
            key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(place[at])
            key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(hit[at])
        key = (key ^ (key >> np.uint64(29))) * BASE + np.uint64(count)
    key = (key ^ (key >> np.uint64(29))) * BASE
    return work, (key ^ (key >> np.uint64(32))) | ONE  # never zero, which is an empty slot


@compiled
def compare(
    count: int,
    hits: int,
    place: np.ndarray,
    hit: np.ndarray,
    distinct: int,
    kinds: np.ndarray,
    index: Any,
    marks: np.ndarray,
    stamp: int,
) -> tuple[int, float, int]:
    """Find the benchmark row of the largest share, if one is large enough (else -1); also how far ``stamp`` got."""
    best, value, text, bound = -1, 0.0, stamp, 1.0
    needed = max(1, np.int64(np.ceil(index.match * count - 1e-9)))
    limit = rarer(hits, place, hit, index, needed) if index.of_row else 0
    if not index.of_benchmark:
        bound = cover(hits, place, hit, index, np.int64(0)) / count
    for at in range(distinct):
        first, last = index.holder_ends[kinds[at]], index.holder_ends[kinds[at] + 1]
        rows = index.holder[first : last if last - first <= limit else first]
        for some in (index.reach[index.reach_ends[kinds[at]] : index.reach_ends[kinds[at] + 1]], rows):
            for row in some:
                if marks[2, row] == text:
                    continue
                marks[2, row] = text
                stamp += 1
                share = share_of(row, count, needed, hits, place, hit, index, marks, text, stamp)
                if share > value or (share == value and share > 0 and row < best):
                    best, value = row, share
                if value >= bound and stamp - text > HEAVY:  # no other shares more, and there may be very many
                    return best, value, stamp
    return best, value, stamp


@compiled
def rarer(hits: int, place: np.ndarray, hit: np.ndarray, index: Any, needed: int) -> int:
    """In how many benchmark rows an n-gram may stand to be worth looking up; 0 if none is.

    A row that shares ``needed`` words of the text shares one of these n-grams, as the others together cover less. So
    what a benchmark says in every row (its instructions) hardly ever makes a row to compare.
    """
    limit = 0
    while limit < index.rows and cover(hits, place, hit, index, limit) >= needed:
        limit = max(64, 8 * limit)
    return limit


@compiled
def cover(hits: int, place: np.ndarray, hit: np.ndarray, index: Any, limit: int) -> int:
    """How many words of a text are in n-grams that stand in more than ``limit`` benchmark rows."""
    covered, until = 0, 0
    for at in range(hits):
        if index.holder_ends[hit[at] + 1] - index.holder_ends[hit[at]] > limit:
            covered += place[at] + index.n - max(until, place[at])
            until = place[at] + index.n
    return covered


@compiled
def share_of(
    row: int,
    count: int,
    needed: int,
    hits: int,
    place: np.ndarray,
    hit: np.ndarray,
    index: Any,
    marks: np.ndarray,
    text: int,
    stamp: int,
) -> float:
    """The share of a benchmark row's words, or of the text's, that are in n-grams both have; 0 if it is too small."""
    covered, until, first = 0, 0, index.ends[row]
    for at in range(index.ends[row + 1] - first):
        number = index.number[first + at]
        marks[1, number] = stamp
        if marks[0, number] == text:
            covered += at + index.n - max(until, at)
            until = at + index.n
    share = covered / index.words[row] if index.of_benchmark and covered >= index.needed[row] else 0.0
    if index.of_row:
        covered, until = 0, 0
        for at in range(hits):
            if marks[1, hit[at]] == stamp:
                covered += place[at] + index.n - max(until, place[at])
                until = place[at] + index.n
        if covered >= needed:
            share = max(share, covered / count)
    return share


@compiled
def longest_run(
    hits: int, place: np.ndarray, hit: np.ndarray, row: int, index: Any, marks: np.ndarray, stamp: int, span: np.ndarray
) -> None:
    """Write the first word of the longest run of n-grams that a benchmark row has too, and the word after its last."""
    for at in range(index.ends[row], index.ends[row + 1]):
        marks[index.number[at]] = stamp
    first, before = 0, -2
    for at in range(hits):
        if marks[hit[at]] == stamp:
            if place[at] != before + 1:
                first = place[at]
            before = place[at]
            if before + index.n - first > span[1] - span[0]:
                span[0], span[1] = first, before + index.n


@compiled
def locate(data: np.ndarray, low: int, high: int, level: np.ndarray, span: np.ndarray) -> None:
    """Write the first byte of the word numbered ``span[0]`` and the byte after the last of that before ``span[1]``."""
    count, inside = 0, False
    for at in range(low, high):
        if level[data[at]] == SPACE:
            inside = False
        else:
            if not inside:
                if count == span[0]:
                    span[2] = at - low
                count += 1
                inside = True
            if count == span[1]:
                span[3] = at + 1 - low
        if count > span[1]:
            break
