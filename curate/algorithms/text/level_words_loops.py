"""Compiled word lists of ``levels``: words that tell whether a mark or a capital beside them counts."""

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_rules_loops import (
    ALONE,
    APOSTROPHE,
    LETTER,
    LOWER,
    MARK,
    SPACE,
    STOP,
    UPPER,
    WORD,
    pass_left,
    pass_right,
    prose_before,
)

LONGEST = 8  # letters of a word that a number holds, one a byte


def packed(words: str) -> tuple[int, ...]:
    """Return words of ASCII as numbers: the bytes of their first eight letters."""
    return tuple(int.from_bytes(word.encode()[:LONGEST], "big") for word in words.split())


# In a text without capitals, a sentence is not taken to begin with these: "what does save! do".
GOES_ON = packed("do does mean means in and or is return returns work works from with to for as vs differ on method")

# Units of two letters whose capitals tell them apart, behind a number: 5 Mb, 5 MB.
UNITS_OF_TWO = packed("mb gb kb tb pb pa ma mw mv mm ms mg ml nm gw kw kg km kn kv ka cm hz db gy sv wb bq ev")
# Before one of these, or behind one of those, "I" is a name and no pronoun.
NAMES_BEHIND = packed("be is denote denotes equals represents stands flows through")
NAMES_BEFORE = packed(
    "let the letter variable vowel of to in by from with for at on between current find compute evaluate set point"
)
# A word with a capital behind one of these is a name of code.
NAMES_OF_CODE = packed("return import class def")
# The capitals of a text that names one of these count: "in ASCII order", "the password".
ON_CAPITALS = packed("ascii password passcode uppercase lowercase camelcase caps")
CASE, CAPITAL, LETTER_WORD = packed("case")[0], packed("capital")[0], packed("letter letters")
KINDS_OF_CASE = packed("upper lower title camel pascal snake letter")
SENSITIVE = packed("sensitive insensitive")
CAPITALISE = packed("capitalise")[0]  # and "capitalize", cut to eight letters
NEAR = 64  # characters to either side in which another spelling of a word is looked for


@inlined
def word_at(codes: np.ndarray, kinds: np.ndarray, at: int) -> int:
    """Return the word of ASCII letters that begins at a place as a number (``packed``), in small letters."""
    word, end = 0, at + LONGEST
    while at < end and kinds[at] & LETTER and codes[at] < 0x80:
        word = word << 8 | int(codes[at]) | 0x20
        at += 1
    return word


@inlined
def goes_on(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether the word at a place goes on with a sentence (``GOES_ON``)."""
    word = word_at(codes, kinds, at)
    for one in GOES_ON:
        if word == one:
            return True
    return False


@inlined
def is_among(word: int, words: tuple[int, ...]) -> bool:
    """Return whether a word is one of a list."""
    for one in words:
        if word == one:
            return True
    return False


@inlined
def word_before(codes: np.ndarray, kinds: np.ndarray, at: int) -> int:
    """Return the word before a place and the spaces there, of up to eight letters, in small letters; 0 for none."""
    last = pass_left(codes, kinds, at - 1, SPACE)
    first = last + 1
    while first > 0 and last - first < LONGEST and kinds[first - 1] & LETTER and not kinds[first - 1] & ALONE:
        first -= 1
    if first > last or (first and kinds[first - 1] & WORD):
        return 0
    return word_at(codes, kinds, first)


@inlined
def is_pronoun(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether "I" is the pronoun: between two words of two letters, none of which makes it a name."""
    right = pass_right(codes, kinds, at + 1, SPACE)
    if right == at + 1 or right < 0 or kinds[right] & kinds[right + 1] & LETTER == 0:
        return False
    left = pass_left(codes, kinds, at - 1, SPACE | MARK)
    if not prose_before(codes, kinds, left + 1):
        return False
    if is_among(word_at(codes, kinds, right), NAMES_BEHIND):
        return False
    return not is_among(word_before(codes, kinds, at), NAMES_BEFORE)


@inlined
def is_told_apart(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether the capitals of a word count: it names something in code, or has another spelling nearby."""
    left = pass_left(codes, kinds, begin - 1, SPACE)
    if left >= 0 and kinds[left] & LOWER and is_among(word_before(codes, kinds, begin), NAMES_OF_CODE):
        first = left
        while first and kinds[first - 1] & LETTER:
            first -= 1
        if kinds[first] & LOWER:
            return True
    initial, place = codes[begin] | 0x20, max(0, begin - NEAR)
    while place < begin + NEAR and not kinds[place] & STOP:
        if codes[place] | 0x20 == initial and (place == 0 or not kinds[place - 1] & WORD):
            if is_other_spelling(codes, kinds, begin, end, place):
                return True
        place += 1
    return False


@inlined
def is_other_spelling(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int, place: int) -> bool:
    """Return whether the word at a place is the word from ``begin`` to ``end`` with other capitals."""
    same = True
    for at in range(begin, end):
        other = codes[place + at - begin]
        if other | 0x20 != codes[at] | 0x20 or kinds[place + at - begin] & STOP:
            return False
        same = same and other == codes[at]
    return not same and not kinds[place + end - begin] & WORD


@inlined
def read_letters(codes: np.ndarray, kinds: np.ndarray) -> tuple[bool, bool, bool]:
    """Read what the words of a text say of its capitals.

    Returns whether it has a small letter; whether each of its words, three at least, has a capital first; and whether
    it speaks of capitals, so that they count.
    """
    at, small, titles, others, speaks = 0, False, 0, 0, False
    while not kinds[at] & STOP:
        kind = kinds[at]
        if not kind & LETTER or kind & ALONE:
            at += 1
            continue
        begin = at
        while kinds[at] & (LETTER | ALONE) == LETTER:
            small = small or kinds[at] & LOWER != 0
            at += 1
        if at - begin > 1 and not (begin and (kinds[begin - 1] & WORD or codes[begin - 1] == APOSTROPHE)):
            titles += kind & UPPER != 0
            others += kind & UPPER == 0
        if at - begin > 3 and not speaks:
            speaks = speaks_of_capitals(codes, kinds, begin, at)
    return small, titles > 2 and not others, speaks


@inlined
def speaks_of_capitals(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word says that capitals count: ASCII, password, upper case, capital letter, capitalise."""
    initial = codes[begin] | 0x20
    if initial != 0x61 and initial != 0x63 and initial != 0x6C and initial != 0x70 and initial != 0x75:
        return False
    word = word_at(codes, kinds, begin)
    if word == CAPITALISE:
        kind = codes[begin + 8] | 0x20
        return kind == 0x7A or (kind == 0x73 and codes[begin + 9] | 0x20 != 0x74 and codes[begin + 9] | 0x20 != 0x6D)
    if word != CASE and word != CAPITAL:
        return is_among(word, ON_CAPITALS)
    right = end + 1
    if end - begin > LONGEST or kinds[right] & STOP:
        following = 0
    else:
        following = word_at(codes, kinds, right)
    if word == CAPITAL:
        return is_among(following, LETTER_WORD)
    before = word_before(codes, kinds, begin - 1 if begin and codes[begin - 1] == 0x2D else begin)
    return is_among(following, SENSITIVE) or is_among(before, KINDS_OF_CASE)
