"""Compiled rules of ``levels``: which capitals become small letters."""

from typing import NamedTuple

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_rules_loops import (
    ALONE,
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

ACRONYM = 2  # letters of a word in capitals that may mean something else than in small ones: US


class Place(NamedTuple):
    """Where a word stands: in code; first of a sentence; after a word in capitals; first of its text."""

    code: bool
    starts: bool
    capitals: bool
    first: bool


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
        capitals += kind & UPPER != 0
        others += kind & LOWER != 0
    if capitals == 0:
        return True
    if place.code:
        return False
    if end - begin == 1:
        return is_prose_letter(codes, kinds, begin, place)
    if beside_code(codes, kinds, begin, end):
        return False
    if after_number(codes, kinds, begin, end):
        return others == 0 and place.capitals and capitals_follow(codes, kinds, end)
    if others == 0 and end - begin <= ACRONYM:
        return place.capitals or capitals_follow(codes, kinds, end) or not has_small(codes, kinds)
    return others == 0 or (capitals == 1 and kinds[begin] & UPPER != 0)


@inlined
def is_prose_letter(codes: np.ndarray, kinds: np.ndarray, at: int, place: Place) -> bool:
    """Return whether a capital by itself is no variable: all of its text, "A" first in a sentence, or in capitals."""
    if place.first and pass_right(codes, kinds, at + 1, SPACE | MARK) < 0:
        return True
    if at and not kinds[at - 1] & (SPACE | QUOTE):
        return False
    if place.starts and is_article(codes, kinds, at):
        return True
    return place.capitals and kinds[at + 1] & SPACE != 0 and capitals_follow(codes, kinds, at + 1)


@inlined
def has_small(codes: np.ndarray, kinds: np.ndarray) -> bool:
    """Return whether a text has a small letter."""
    at = 0
    while not kinds[at] & (STOP | LOWER):
        at += 1
    return kinds[at] & LOWER != 0


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
    """Return whether a word of two letters may be a unit, which stands behind a number: 5 Pa."""
    if end - begin > 2 or begin == 0:
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
