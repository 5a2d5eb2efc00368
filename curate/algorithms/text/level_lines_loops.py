"""Compiled rules of ``levels``: which lines are code, and which belong to the line before them."""

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_rules_loops import (
    COLON,
    FEED,
    HYPHEN,
    LETTER,
    LOWER,
    NUMBER,
    PLUS,
    SEMICOLON,
    SPACE,
    STOP,
    STOP_MARK,
    WORD,
    pass_left,
)
from curate.algorithms.text.level_words_loops import LONGEST, is_among, packed, word_at

# Lines of code begin with these, written just so; with CLOSED ones where they end in ":".
LINES = packed("def class return import raise assert del yield const var public private static void using func fn")
LINES_IF_CLOSED = packed("if for while elif else try except finally with switch case async match do")
FROM, IMPORT, LINES_OF_SQL = packed("from")[0], packed("import")[0], packed("SELECT INSERT UPDATE DELETE CREATE")
RETURN, TAB, HASH, STAR, CURLY, CLOSING, BULLET = 0x0D, 0x09, 0x23, 0x2A, 0x7B, 0x29, 0x2022
DIGITS = 3  # of the number of a list


@inlined
def column_of(codes: np.ndarray, begin: int, end: int) -> int:
    """Return the column after some white space at the beginning of a line."""
    column = 0
    for place in range(begin, end):
        column = (column // 8 + 1) * 8 if codes[place] == TAB else column + 1
    return column


@inlined
def is_code_line(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether the line that begins at a character is code: by its first word, and its last character."""
    first, end, last, small, imports = 0, at, 0, False, False
    while kinds[end] & LETTER and codes[end] < 0x80 and end - at < LONGEST:
        first = first << 8 | int(codes[end])
        end += 1
    if kinds[end] & WORD:
        first = 0
    end = at
    while not kinds[end] & STOP and codes[end] != FEED and codes[end] != RETURN:
        small = small or kinds[end] & LOWER != 0
        if not kinds[end] & SPACE:
            last = codes[end]
        elif first == FROM and word_at(codes, kinds, end + 1) == IMPORT:
            imports = True
        end += 1
    if last == SEMICOLON or last == CURLY or imports or is_among(first, LINES):
        return True
    if small and is_among(first, LINES_OF_SQL):
        return True
    return last == COLON and is_among(first, LINES_IF_CLOSED)


@inlined
def opens_block(codes: np.ndarray, kinds: np.ndarray, at: int, begin: int, column: int) -> bool:
    """Return whether a deeper line belongs to the one before it: behind a ":", or both are items of lists.

    Args:
        codes: The code points of the text.
        kinds: Their classes.
        at: The white space before the line.
        begin: The first character of the line.
        column: Its column.
    """
    last = pass_left(codes, kinds, at - 1, SPACE)
    if last < 0:
        return False
    if codes[last] == COLON:
        return True
    first, closed = last, False
    while first > 0 and codes[first - 1] != FEED and codes[first - 1] != RETURN:
        if codes[first] == HASH and kinds[first - 1] & SPACE:
            before = pass_left(codes, kinds, first - 1, SPACE)
            closed = before >= 0 and codes[before] == COLON
        first -= 1
    if closed or not is_item(codes, kinds, begin):
        return closed
    line = first
    while kinds[first] & SPACE:
        first += 1
    return is_item(codes, kinds, first) and column_of(codes, line, first) < column


@inlined
def is_item(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether an item of a list begins at a character: "- ", "* ", "1. "."""
    code, end = codes[at], at
    if code == HYPHEN or code == STAR or code == PLUS or code == BULLET:
        return kinds[at + 1] & SPACE != 0
    while end < at + DIGITS and kinds[end] & NUMBER:
        end += 1
    return end > at and (codes[end] == STOP_MARK or codes[end] == CLOSING) and kinds[end + 1] & SPACE != 0
