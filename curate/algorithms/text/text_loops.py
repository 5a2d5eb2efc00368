"""Compiled passes over the bytes of texts: count characters by class, words, lines and sentences.

``text_counts`` calls them and defines words, lines and sentences. Each takes the UTF-8 bytes of texts (``utf8``) and a
table of ``letter_classes``, and fills a row of numbers for each text.
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.letter_classes import (
    ALONE,
    BULLET,
    CLOSER,
    DIGIT,
    FIELD,
    LETTER,
    SIZE,
    SPACE,
    TERMINAL,
    WORD,
)

HAN, PRIVATE, SELECTOR = 0x4E00, 0xE000, 0xFE0F  # these are looked up for the code points beyond the table
HASH, QUOTE, APOSTROPHE, STAR, PLUS, DASH, DOT, NINE, ELLIPSIS = 0x23, 0x22, 0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x39, 0x2026
WIDE = 0x3000  # from this code point on, the end of a sentence needs no space after it
PRIME = np.uint64(0x100000001B3)


class Line(NamedTuple):
    """The counts and the ends of a line.

    Attributes:
        size: Characters, without white space at the ends.
        bullet: Whether it begins with a bullet.
        mark: The last character but for closing quotes and brackets.
        dots: How many dots in a row end it, but for closing quotes and brackets.
        quoted: Whether it ends with a straight quote.
        words: Words.
        longest: Characters of the longest word.
        tokens: Words and punctuation marks.
        alone: Those of the tokens in scripts without spaces.
        sentences: Sentences.
    """

    size: int
    bullet: bool
    mark: int
    dots: int
    quoted: bool
    words: int
    longest: int
    tokens: int
    alone: int
    sentences: int


@compiled
def longest_text(ends: np.ndarray, low: int, high: int) -> int:
    """Return the bytes of the longest of the texts ``low`` to ``high``."""
    most = 0
    for row in range(low, high):
        most = max(most, ends[row + 1] - ends[row])
    return most


@compiled
def character(data: np.ndarray, at: int) -> tuple[int, int]:
    """Return the code point that begins at a byte, and the byte after its last."""
    first = int(data[at])
    if first < 0x80:
        return first, at + 1
    if first < 0xE0:
        return (first & 0x1F) << 6 | (int(data[at + 1]) & 0x3F), at + 2
    if first < 0xF0:
        return (first & 0x0F) << 12 | (int(data[at + 1]) & 0x3F) << 6 | (int(data[at + 2]) & 0x3F), at + 3
    low = (int(data[at + 2]) & 0x3F) << 6 | (int(data[at + 3]) & 0x3F)
    return (first & 7) << 18 | (int(data[at + 1]) & 0x3F) << 12 | low, at + 4


@inlined
def put_character(out: np.ndarray, used: int, code: int) -> int:
    """Write a code point as UTF-8 from a byte on; return the byte after it."""
    if code < 0x80:
        out[used] = code
        return used + 1
    if code < 0x800:
        out[used], out[used + 1] = 0xC0 | code >> 6, 0x80 | (code & 0x3F)
        return used + 2
    if code < 0x10000:
        out[used], out[used + 1], out[used + 2] = 0xE0 | code >> 12, 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
        return used + 3
    out[used], out[used + 1] = 0xF0 | code >> 18, 0x80 | (code >> 12 & 0x3F)
    out[used + 2], out[used + 3] = 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
    return used + 4


@compiled
def stand_in(code: int) -> int:
    """Return the code point to look up in the tables for one: itself, or beyond their end one of the same class."""
    if code < SIZE:
        return code
    return HAN if code < 0x40000 else SELECTOR if 0xE0100 <= code < 0xE01F0 else PRIVATE


@compiled
def count_characters(
    data: np.ndarray, ends: np.ndarray, table: np.ndarray, low: int, high: int, out: np.ndarray
) -> None:
    """Fill rows with the number of characters of each class of ``COUNTED``, and of all; ``table`` is ``counters``."""
    for row in range(low, high):
        at, end = ends[row], ends[row + 1]
        counts = out[row]
        more = 0  # bytes of characters after their first
        begin = at
        while at < end:
            stop = min(end, at + 1000)  # 1,000 characters do not overflow a counter
            packed = np.uint64(0)
            while at < stop:
                if data[at] < 0x80:
                    packed += table[data[at]]
                    at += 1
                else:
                    code, after = character(data, at)
                    packed += table[stand_in(code)]
                    more += after - at - 1
                    at = after
            for place in range(5):
                counts[place] += (packed >> np.uint64(FIELD * place)) & np.uint64((1 << FIELD) - 1)
        counts[5] = end - begin - more


@compiled
def count_words(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, stops: np.ndarray, low: int, high: int, out: np.ndarray
) -> None:
    """Fill rows with the columns ``text_counts.WORDS``; ``stops`` are the hashes of the stop words."""
    for row in range(low, high):
        words = alone = lettered = spaced = characters = longest = hashes = ellipses = dots = 0
        length = pending = 0  # characters of the current word up to its last letter or digit, and after that
        letters, inside, stops_seen = False, False, np.uint64(0)
        key = np.uint64(0)
        at, end = ends[row], ends[row + 1]
        while at <= end:
            code, kind = 0x20, SPACE
            if at < end:
                code, at = character(data, at)
                kind = int(kinds[stand_in(code)])
            else:
                at += 1
            if kind & (SPACE | ALONE):
                if inside:
                    words += 1
                    lettered += letters
                    if length:
                        spaced += 1
                        characters += length
                        longest = max(longest, length)
                        for place in range(len(stops)):
                            if stops[place] == key:
                                stops_seen |= np.uint64(1) << np.uint64(place)
                inside, letters, length, pending, key = False, False, 0, 0, np.uint64(0)
                if kind & ALONE:
                    words += 1
                    alone += 1
                    lettered += (kind & LETTER) > 0
                dots = 0
                continue
            inside = True
            if kind & WORD:
                letters |= (kind & LETTER) > 0
                length += pending + 1
                key = (key + np.uint64(pending)) * PRIME + np.uint64(code + 32 if 65 <= code <= 90 else code)
                pending = 0
                dots = 0
            else:
                pending += length > 0
                hashes += code == HASH
                dots = dots + 1 if code == DOT else 0
                ellipses += code == ELLIPSIS or (dots > 0 and dots % 3 == 0)
        distinct = 0
        while stops_seen:
            stops_seen &= stops_seen - np.uint64(1)
            distinct += 1
        found = out[row]
        found[0], found[1], found[2], found[3], found[4] = words, alone, lettered, spaced, characters
        found[5], found[6], found[7], found[8] = longest, distinct, hashes, ellipses


@compiled
def read_line(data: np.ndarray, at: int, end: int, kinds: np.ndarray) -> Line:
    """Read the line from byte ``at`` to ``end``."""
    first, last, place = -1, -1, 0
    words = longest = run = tokens = token = alone = sentences = ended = mark = tip = dots = 0
    bullet = content = single = closed = False
    numeric = True  # only digits since the sentence began: "1." begins a list
    while at < end:
        code, at = character(data, at)
        kind = int(kinds[stand_in(code)])
        place += 1
        space = (kind & SPACE) > 0
        if ended and (space or (ended == WIDE and not kind & (TERMINAL | CLOSER))):
            sentences += 1
            content, numeric = False, True
        if space:
            ended = run = token = 0
            continue
        if first < 0:
            first = place
            sure = code != DASH and code != STAR and code != PLUS
            sure = sure or at == end or (kinds[stand_in(character(data, at)[0])] & SPACE) > 0
            bullet = (kind & BULLET) > 0 and sure
        alone += (kind & ALONE) > 0
        run = 0 if kind & ALONE else run + 1
        words += run < 2
        if kind & WORD:
            token = 0 if kind & ALONE else token + 1
            tokens += token < 2
            numeric = numeric and (kind & DIGIT) > 0
            begun = at
            while token and at < end and data[at] < 0x80 and kinds[data[at]] & WORD:  # a fast path: most of most texts
                code = int(data[at])
                numeric = numeric and code <= NINE
                at += 1
            place, run, token = place + at - begun, run + at - begun, token + at - begun
            single = token == 1 and (kind & LETTER) > 0
            ended, content = 0, True
        else:
            tokens += 1
            token = 0
            if kind & TERMINAL:
                if content and not (code == DOT and (single or numeric)):
                    ended = WIDE if code >= WIDE else max(ended, 1)
            elif not kind & CLOSER:
                ended = 0
            single = False
        last, tip = place, code
        longest = max(longest, run)
        if not kind & CLOSER:
            mark = code
            dots = 0 if code != DOT else 1 if closed else dots + 1
        closed = (kind & CLOSER) > 0
    quoted = tip == QUOTE or tip == APOSTROPHE
    size = last - first + (first >= 0)
    return Line(size, bullet, mark, dots, quoted, words, longest, tokens, alone, sentences + content)


@compiled
def count_lines(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, short: int, low: int, high: int, out: np.ndarray
) -> None:
    """Fill rows with the columns ``text_counts.LINES``; ``short`` is the size up to which a line is short."""
    for row in range(low, high):
        found = out[row]
        found[:] = 0
        at, end = ends[row], ends[row + 1]
        while at < end:
            stop = at
            while stop < end and data[stop] != 10 and data[stop] != 13:
                stop += 1
            line = read_line(data, at, stop, kinds)
            at = stop + 1
            if stop < end:
                found[6] += 1
                if data[stop] == 13 and at < end and data[at] == 10:
                    at += 1
            if line.size == 0:
                continue
            elliptic = line.dots > 2 or line.mark == ELLIPSIS
            whole = (kinds[stand_in(line.mark)] & TERMINAL) > 0
            found[0] += 1
            found[1] += line.bullet
            found[2] += elliptic
            found[3] += whole
            found[4] += line.size <= short
            kept = ((whole and not elliptic) or line.quoted) and line.words > 4 and line.longest <= 1000
            found[5] += kept
            found[7] += line.tokens
            found[8] += line.sentences
            found[9] += line.sentences if kept else 0
            found[10] += line.alone
