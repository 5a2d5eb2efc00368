"""Compiled rules of ``levels``: which capitals become small letters."""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_rules_loops import (
    ALONE,
    APOSTROPHE,
    CAPITAL_A,
    CAPITAL_I,
    CLOSE,
    DASH,
    END,
    FAR,
    HYPHEN,
    INVERTED,
    JOIN,
    LETTER,
    LOWER,
    MARK,
    NOT_CODE,
    NUMBER,
    OPEN,
    QUOTE,
    SPACE,
    STOP,
    UPPER,
    WORD,
    is_article,
    pass_left,
    pass_right,
    within_word,
)
from curate.algorithms.text.level_words_loops import UNITS_OF_TWO, is_among, is_pronoun, is_told_apart, word_at

GREEK = 0x370  # from this code point on, letters are of other scripts than Latin
ACRONYM = 2  # letters of a word in capitals that may mean something else than in small ones: US


class Place(NamedTuple):
    """Where a word stands.

    Attributes:
        code: In code.
        starts: First in a sentence.
        capitals: After a word in capitals.
        first: First of its text.
        small: In a text that has a small letter.
        titled: In a text whose words all have a capital first.
    """

    code: bool
    starts: bool
    capitals: bool
    first: bool
    small: bool
    titled: bool


@inlined
def all_capitals(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word has two capitals or more, no small letter and no digit."""
    count = 0
    for place in range(begin, end):
        if kinds[place] & (LOWER | NUMBER | JOIN):
            return False
        count += kinds[place] & UPPER != 0
    return count > 1


@inlined
def titled_plainly(kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word is lowered at a glance: a capital and small letters, with words of prose around it."""
    if end - begin < 3:
        return False
    if begin and not (kinds[begin - 1] & SPACE and begin > 1 and kinds[begin - 2] & (LETTER | END)):
        return False
    after = end + (kinds[end] & END != 0)
    if not kinds[after] & SPACE:
        return False
    return kinds[after] & STOP != 0 or kinds[after + 1] & (WORD | STOP) != 0


@inlined
def is_lowered(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int, place: Place) -> bool:
    """Return whether a word is written in small letters.

    It is if only its first letter is a capital, or all are; two capitals only beside another word in capitals;
    and only outside code. Single letters, and words with digits or of mixed case, stay as they are.
    """
    capitals, others = 0, 0
    for at in range(begin, end):
        kind = kinds[at]
        if kind & (NUMBER | JOIN):
            return False
        capitals += kind & UPPER != 0 and not begins_part(codes, kinds, begin, at)
        others += kind & LOWER != 0
    if capitals == 0:
        return True
    if place.code:
        return False
    if end - begin == 1:
        return is_prose_letter(codes, kinds, begin, place)
    if beside_code(codes, kinds, begin, end) or is_primed(codes, kinds, begin, end):
        return False
    if quoted_alone(codes, kinds, begin, end, place):
        return False
    if not place.starts and place.small and is_told_apart(codes, kinds, begin, end):
        return False
    if after_number(codes, kinds, begin, end):
        return others == 0 and place.capitals and capitals_follow(codes, kinds, end)
    if others == 0 and end - begin <= ACRONYM:
        return place.capitals or capitals_follow(codes, kinds, end) or not place.small
    return others == 0 or (capitals == 1 and kinds[begin] & UPPER != 0)


@inlined
def begins_part(codes: np.ndarray, kinds: np.ndarray, begin: int, at: int) -> bool:
    """Return whether a letter is the first behind an apostrophe in a word, as in What'S and L'Eau; not in A'B."""
    if at < begin + 2 or codes[at - 1] != APOSTROPHE:
        return False
    return at > begin + 2 or kinds[at + 1] & LETTER != 0


@inlined
def is_primed(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word is of single letters with primes: A'B'C, but I'M."""
    if end - begin < 3 or codes[begin] == CAPITAL_I:
        return False
    for at in range(begin, end):
        if (codes[at] == APOSTROPHE) != ((at - begin) % 2 == 1):
            return False
    return True


@inlined
def quoted_alone(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int, place: Place) -> bool:
    """Return whether a word stands by itself between quotes, in a text with other words in small letters."""
    if begin == 0 or not kinds[begin - 1] & kinds[end] & QUOTE:
        return False
    return place.small and not place.titled and not (place.first and kinds[end + 1] & STOP)


@inlined
def is_prose_letter(codes: np.ndarray, kinds: np.ndarray, at: int, place: Place) -> bool:
    """Return whether a capital by itself is no variable.

    It is none where it is all of its text, where it is a word ("A", "I", a letter beyond ASCII) that begins a sentence
    or stands in a text whose words all have capitals, as the pronoun "I", and between words in capitals.
    """
    if place.first and pass_right(codes, kinds, at + 1, SPACE | MARK) < 0:
        return True
    if at and not kinds[at - 1] & (SPACE | QUOTE):
        return False
    is_word = codes[at] == CAPITAL_A or codes[at] == CAPITAL_I or is_foreign(codes, kinds, at)
    begins = place.starts or (at > 0 and kinds[at - 1] & QUOTE and not behind_operator(codes, kinds, at))
    if begins and (is_article(codes, kinds, at) or is_foreign(codes, kinds, at)):
        return True
    if is_word and place.titled and kinds[at + 1] & SPACE and not kinds[at + 1] & STOP:
        return True
    if codes[at] == CAPITAL_I and is_pronoun(codes, kinds, at):
        return True
    return place.capitals and kinds[at + 1] & SPACE != 0 and capitals_follow(codes, kinds, at + 1)


@inlined
def behind_operator(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether an operator is the nearest sign before a place but for spaces and quotes."""
    left = pass_left(codes, kinds, at - 1, SPACE | QUOTE)
    return left >= 0 and is_operator(codes[left])


@inlined
def is_foreign(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a letter beyond ASCII is a word before one of two letters, of its own script: É, В; not "Δ is"."""
    if codes[at] < 0x80:
        return False
    after = pass_right(codes, kinds, at + 1, SPACE)
    if after <= at + 1 or not kinds[after] & kinds[after + 1] & LETTER:
        return False
    return codes[at] < GREEK or codes[after] >= GREEK


@inlined
def capitals_follow(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether the next word is in capitals."""
    at = pass_right(codes, kinds, at, SPACE | MARK | NUMBER | OPEN | CLOSE)
    if at < 0:
        return False
    end = at
    while end < at + FAR and within_word(codes, kinds, end):
        end += 1
    return end > at and all_capitals(codes, kinds, at, end)


@inlined
def after_number(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word of two letters is a unit whose capitals count, behind a number: 5 Pa, 5 MB."""
    if end - begin > 2 or begin == 0 or not is_among(word_at(codes, kinds, begin), UNITS_OF_TWO):
        return False
    left = pass_left(codes, kinds, begin - 1, SPACE)
    return left >= 0 and kinds[left] & NUMBER != 0


@inlined
def beside_code(codes: np.ndarray, kinds: np.ndarray, begin: int, end: int) -> bool:
    """Return whether a word is part of code: a sign touches it, or an operator is next to it."""
    if begin and touches_code(codes, kinds, begin - 1, OPEN):
        return True
    if kinds[end] & END:
        joined = kinds[end + 1]
        if joined & WORD and not joined & ALONE:
            return True
    elif touches_code(codes, kinds, end, CLOSE):
        return True
    left, right = pass_left(codes, kinds, begin - 1, SPACE), pass_right(codes, kinds, end, SPACE)
    if right >= 0 and is_operator(codes[right]):
        return True
    return left >= 0 and is_operator(codes[left])


@inlined
def touches_code(codes: np.ndarray, kinds: np.ndarray, at: int, bracket: int) -> bool:
    """Return whether the sign right before or behind a word makes it code: not quotes, hyphens, its own bracket."""
    kind, code = kinds[at], codes[at]
    if kind & END:
        return code != INVERTED[0] and code != INVERTED[1]
    return not kind & (SPACE | WORD | QUOTE | DASH | bracket) and code != HYPHEN and code < NOT_CODE


@inlined
def is_operator(code: int) -> bool:
    """Return whether a sign is an operator of code: = < > + * | ^ ~ or a backslash."""
    if 0x3C <= code <= 0x3E:
        return True
    return code == 0x2B or code == 0x2A or code == 0x7C or code == 0x5E or code == 0x7E or code == 0x5C
