"""Compiled rules of ``levels``: which marks of a text are left out, and where signs belong."""

import numpy as np

from curate.algorithms.compiled import inlined

# Classes of a character (``levels.KINDS``), one bit each.
LETTER, UPPER, LOWER, NUMBER, JOIN, SPACE, ALONE = (1 << at for at in range(7))
END, QUOTE, DASH, OPEN, CLOSE, SENTENCE, PLAIN, STOP = (1 << at for at in range(7, 15))
WORD, MARK = LETTER | NUMBER | JOIN, END | QUOTE | DASH
# What is levelled: prose case; marks; runs of white space; cut into units; depth of lines; places of units are told.
CASE, PUNCTUATION, WHITE_SPACE, UNITS, INDENTS, IN_WORDS = (1 << at for at in range(6))
FAR = 32  # characters but white space that a rule looks to either side
NOT_CODE = 0x2190  # from here on a sign (an arrow, an emoji) does not make the word beside it code
APOSTROPHE, HYPHEN, PLUS, EXCLAMATION, QUESTION = 0x27, 0x2D, 0x2B, 0x21, 0x3F
INVERTED = (0xBF, 0xA1)  # ¿ and ¡, which stand before a word
ROUND, SQUARE, CURLY, COLON, SEMICOLON, STOP_MARK, CAPITAL_A, CAPITAL_I = 0x28, 0x5B, 0x7B, 0x3A, 0x3B, 0x2E, 0x41, 0x49


@inlined
def within_word(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a word goes on with a character: a letter, digit or "_", or an apostrophe between letters."""
    kind = kinds[at]
    if kind & WORD:
        return not kind & ALONE
    return codes[at] == APOSTROPHE and kinds[at - 1] & kinds[at + 1] & LETTER != 0


@inlined
def prose_before(codes: np.ndarray, kinds: np.ndarray, end: int) -> bool:
    """Return whether two letters of a word, or one of a script without spaces, stand right before ``end``."""
    if end < 1 or not kinds[end - 1] & LETTER:
        return False
    if kinds[end - 1] & ALONE:
        return True
    if end < 2 or kinds[end - 2] & LETTER:
        return end > 1
    return end > 2 and codes[end - 2] == APOSTROPHE and kinds[end - 3] & LETTER != 0


@inlined
def prose_after(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether two letters of a word stand from ``at`` on, or "A" or "I" before such a word."""
    if not kinds[at] & LETTER:
        return False
    if kinds[at] & ALONE or kinds[at + 1] & LETTER:
        return True
    if codes[at + 1] == APOSTROPHE:
        return kinds[at + 2] & LETTER != 0
    return is_article(codes, kinds, at)


@inlined
def is_article(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether "A" or "I" stands at a place, with a space and two letters behind it."""
    if codes[at] != CAPITAL_A and codes[at] != CAPITAL_I:
        return False
    after = pass_right(codes, kinds, at + 1, SPACE)
    return after > at + 1 and kinds[after] & kinds[after + 1] & LETTER != 0


@inlined
def pass_left(codes: np.ndarray, kinds: np.ndarray, at: int, these: int) -> int:
    """Return the nearest place from ``at`` leftwards whose character is not of ``these`` classes, or -1."""
    far = FAR
    while at >= 0 and far and kinds[at] & these:
        far -= kinds[at] & SPACE == 0
        at -= 1
    return at


@inlined
def pass_right(codes: np.ndarray, kinds: np.ndarray, at: int, these: int) -> int:
    """Return the nearest place from ``at`` on whose character is not of ``these`` classes, or -1."""
    far = FAR
    while far and kinds[at] & these:
        if kinds[at] & STOP:
            return -1
        far -= kinds[at] & SPACE == 0
        at += 1
    return at


@inlined
def keeps_mark(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a mark counts as a sign; else it is punctuation of a sentence, which is left out.

    A mark counts inside a word or a number, before one (but an opening quote), and where no word of two letters stands
    on either side of it: "3.14", "a, b", "x: int" in code, "5!". The others end a word or a sentence, or quote words.
    """
    kind, code = kinds[at], codes[at]
    if kind & QUOTE:
        return keeps_quote(codes, kinds, at)
    if code == INVERTED[0] or code == INVERTED[1]:
        return not prose_after(codes, kinds, at + 1)
    after = at + 1
    while after < at + FAR and kinds[after] & (END | QUOTE):
        after += 1
    beside = kinds[after] | (kinds[at - 1] if at else 0)
    if kind & END and not kinds[after] & (SPACE | CLOSE | DASH):
        return not beside & ALONE
    left = pass_left(codes, kinds, at - 1, SPACE | MARK)
    if left < 0 or prose_before(codes, kinds, left + 1):
        return kind & DASH != 0 and kinds[at + 1] & NUMBER != 0 and (at == 0 or kinds[at - 1] & SPACE != 0)
    if kinds[after] & CLOSE or code == EXCLAMATION:
        return True
    if code == STOP_MARK and after == at + 1 and kinds[at - 1] & SPACE == 0:
        return False
    right = pass_right(codes, kinds, at + 1, SPACE | MARK)
    if right < 0:
        return code == COLON or code == SEMICOLON
    if code == QUESTION:
        return not (kinds[right] & UPPER or kinds[right] & (LETTER | LOWER) == LETTER)
    return not prose_after(codes, kinds, right)


@inlined
def keeps_quote(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a quote counts: it does not open or close words, or it opens a text behind an operator."""
    before = pass_left(codes, kinds, at - 1, MARK)
    after = at + 1
    while after < at + FAR and kinds[after] & MARK:
        after += 1
    opens = prose_after(codes, kinds, after) and not (at and kinds[at - 1] & WORD & ~(kinds[at - 1] & ALONE and WORD))
    if opens:
        left = pass_left(codes, kinds, at - 1, SPACE)
        return left >= 0 and not kinds[left] & (WORD | MARK | OPEN | CLOSE) and codes[left] < NOT_CODE
    return not (prose_before(codes, kinds, before + 1) and not kinds[at + 1] & WORD)


@inlined
def is_apart(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether white space beside a sign counts: "-5" and "3 -5" are not "3 - 5", "3, 14" is not "3,14"."""
    before = at == 0 or kinds[at - 1] & (SPACE | OPEN) != 0
    if codes[at] == HYPHEN or codes[at] == PLUS:
        return before and kinds[at + 1] & NUMBER != 0
    return kinds[at] & END != 0 and (before or kinds[at + 1] & SPACE != 0)


@inlined
def ends_word(kinds: np.ndarray, at: int) -> bool:
    """Return whether a sign touches the word before it and none behind it: 5%, C++."""
    if at == 0 or kinds[at - 1] & SPACE:
        return False
    after = at + 1
    while after < at + FAR and not kinds[after] & (SPACE | WORD | MARK):
        after += 1
    return kinds[after] & WORD == 0


@inlined
def opens_code(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a bracket opens code, up to where it closes: any but a round one, or one right behind a word."""
    if not kinds[at] & OPEN:
        return False
    if codes[at] == SQUARE or codes[at] == CURLY:
        return True
    if codes[at] != ROUND or at == 0:
        return False
    before = kinds[at - 1]
    if before & WORD:
        return not before & ALONE
    return not before & (SPACE | MARK | OPEN) and codes[at - 1] < NOT_CODE and codes[at - 1] != HYPHEN


@inlined
def ends_plainly(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether a mark that ends a word or a sentence is left out at a glance: a long word, the mark, a space."""
    if not kinds[at] & END or at < 2 or codes[at] >= 0x80:
        return False
    return kinds[at - 1] & kinds[at - 2] & LETTER != 0 and kinds[at + 1] & SPACE != 0
