"""Compiled rules of ``levels``: which marks of a text are left out, and where signs belong."""

import numpy as np

from curate.algorithms.compiled import inlined

# Classes of a character (``levels.KINDS``), one bit each.
LETTER, UPPER, LOWER, NUMBER, JOIN, SPACE, ALONE = (1 << at for at in range(7))
END, QUOTE, DASH, OPEN, CLOSE, SENTENCE, PLAIN, STOP = (1 << at for at in range(7, 15))
WORD, MARK = LETTER | NUMBER | JOIN, END | QUOTE | DASH
# Flags: level the case of prose; leave out marks; take white space as one space; cut into units; write the depth of
# lines; take every character by the rules, without the fast path for plain prose (a test compares the two).
CASE, PUNCTUATION, WHITE_SPACE, UNITS, INDENTS, ONLY_RULES = (1 << at for at in range(6))
FAR = 32  # characters but white space that a rule looks to either side
NOT_CODE = 0x2190  # from here on a sign (an arrow, an emoji) does not make the word beside it code
APOSTROPHE, HYPHEN, PLUS, EXCLAMATION, QUESTION = 0x27, 0x2D, 0x2B, 0x21, 0x3F
INVERTED = (0xBF, 0xA1)  # ¿ and ¡, which stand before a word
ROUND, SQUARE, CURLY, COLON, SEMICOLON, STOP_MARK, CAPITAL_A, CAPITAL_I = 0x28, 0x5B, 0x7B, 0x3A, 0x3B, 0x2E, 0x41, 0x49
COMMA, SMALL_S, FEED = 0x2C, 0x73, 0x0A
PLURAL = 4  # letters of a word whose apostrophe may end a plural: dogs'


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
    """Return whether "A", "a", "I" or "i" stands at a place, with a space and two letters behind it."""
    if codes[at] & ~0x20 != CAPITAL_A and codes[at] & ~0x20 != CAPITAL_I:
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
def keeps_mark(codes: np.ndarray, kinds: np.ndarray, at: int, opened: bool) -> bool:
    """Return whether a mark counts as a sign; else it is punctuation of a sentence, which is left out.

    A mark counts inside a word or a number, before one (but an opening quote), by itself between spaces, and where no
    word of two letters stands on either side of it: "3.14", "a, b", "x: int" in code, "5!", "git add .". The others
    end a word or a sentence, or quote words. ``opened``: whether a single quote is open.
    """
    kind, code = kinds[at], codes[at]
    if kind & QUOTE:
        return keeps_quote(codes, kinds, at, opened)
    if code == INVERTED[0] or code == INVERTED[1]:
        return not prose_after(codes, kinds, at + 1)
    if kind & END and code < 0x80 and stands_free(codes, kinds, at):
        return True
    after = at + 1
    while after < at + FAR and kinds[after] & (END | QUOTE):
        after += 1
    beside = kinds[after] | (kinds[at - 1] if at else 0)
    if kind & END and not kinds[after] & (SPACE | CLOSE | DASH):
        return not beside & ALONE
    left = pass_left(codes, kinds, at - 1, SPACE | MARK)
    if left < 0 or prose_before(codes, kinds, left + 1):
        if code == COMMA and codes[at + 1] == ROUND + 1:
            return True
        return kind & DASH != 0 and kinds[at + 1] & NUMBER != 0 and (at == 0 or kinds[at - 1] & SPACE != 0)
    if kinds[after] & CLOSE or code == EXCLAMATION:
        return True
    if code == STOP_MARK and after == at + 1 and kinds[at - 1] & SPACE == 0:
        return False
    right = pass_right(codes, kinds, at + 1, SPACE | MARK)
    if right < 0:
        return code == COLON or code == SEMICOLON
    if code == QUESTION:
        return not begins_sentence(kinds, right)
    return not prose_after(codes, kinds, right)


@inlined
def begins_sentence(kinds: np.ndarray, at: int) -> bool:
    """Return whether a character may begin a sentence: a capital, or a letter of a script without capitals."""
    return kinds[at] & UPPER != 0 or kinds[at] & (LETTER | LOWER) == LETTER


@inlined
def stands_free(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether marks stand by themselves, as operators do ("cd .."); not the " ?" that ends a sentence.

    French has a space before "?" and "!". Marks in a text without words do not stand free.
    """
    low, high = pass_left(codes, kinds, at, END | QUOTE), pass_right(codes, kinds, at, END | QUOTE)
    if not kinds[high] & SPACE or (low >= 0 and not kinds[low] & SPACE):
        return False
    right = pass_right(codes, kinds, high, SPACE | MARK)
    if right < 0 and pass_left(codes, kinds, at, SPACE | MARK) < 0:
        return False
    for place in range(low + 1, high):
        if kinds[place] & END and codes[place] != EXCLAMATION and codes[place] != QUESTION:
            return True
    return right >= 0 and not begins_sentence(kinds, right)


@inlined
def names_end(codes: np.ndarray, kinds: np.ndarray, at: int) -> int:
    """Return whether "!" or "?" belongs to the word before it: 1 if it does, 0 if not, 2 if a small letter follows.

    It does before "," ";" ":" and a bracket that closes, and where a sign touches the word: ":wq!".
    """
    last = pass_left(codes, kinds, at - 1, MARK)
    if last < 0 or not kinds[last] & WORD or kinds[last] & ALONE:
        return 0
    joined = codes[at + 1]
    if joined == COMMA or joined == COLON or joined == SEMICOLON or kinds[at + 1] & CLOSE:
        return 1
    first = pass_left(codes, kinds, last, WORD)
    if first >= 0 and not kinds[first] & (SPACE | WORD | QUOTE | DASH | OPEN) and codes[first] != HYPHEN:
        if codes[first] < NOT_CODE and codes[first] != INVERTED[0] and codes[first] != INVERTED[1]:
            return 1
    right = at + 1
    while right < at + FAR and kinds[right] & (SPACE | MARK) and not kinds[right] & STOP:
        if codes[right] == FEED:
            return 0
        right += 1
    return 2 if kinds[right] & LOWER else 0


@inlined
def keeps_quote(codes: np.ndarray, kinds: np.ndarray, at: int, opened: bool) -> bool:
    """Return whether a quote counts: it does not open or close words, or it opens a text behind an operator.

    A "'" that closes none (``opened``) counts, as a prime does, but behind a plural.
    """
    before = pass_left(codes, kinds, at - 1, MARK)
    after = at + 1
    while after < at + FAR and kinds[after] & MARK:
        after += 1
    opens = prose_after(codes, kinds, after) and not (at and kinds[at - 1] & WORD & ~(kinds[at - 1] & ALONE and WORD))
    if opens:
        left = pass_left(codes, kinds, at - 1, SPACE)
        return left >= 0 and not kinds[left] & (WORD | MARK | OPEN | CLOSE) and codes[left] < NOT_CODE
    if codes[at] == APOSTROPHE and not opened and at and not kinds[at - 1] & ALONE:
        return not is_plural(codes, kinds, at)
    return not (prose_before(codes, kinds, before + 1) and not kinds[at + 1] & WORD)


@inlined
def is_plural(codes: np.ndarray, kinds: np.ndarray, at: int) -> bool:
    """Return whether an apostrophe ends a plural or a name in "s": dogs', James', FARMERS'; not cos' (x), ABS'."""
    if codes[at - 1] | 0x20 != SMALL_S or not kinds[at + 1] & (SPACE | END):
        return False
    first, same = at - 1, kinds[at - 1] & (UPPER | LOWER)
    while first > at - FAR and first > 0 and kinds[first - 1] & same:
        first -= 1
    first -= same == LOWER and first > 0 and kinds[first - 1] & UPPER != 0
    if at - first < PLURAL + (same == UPPER) or (first and kinds[first - 1] & WORD):
        return False
    after = pass_right(codes, kinds, at + 1, SPACE)
    return after < 0 or kinds[after] & (WORD | MARK) != 0


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
    """Return whether a mark that ends a word or a sentence is left out at a glance: a long word, the mark, a space.

    "!" and "?" need a closer look (``names_end``).
    """
    if not kinds[at] & END or at < 2 or codes[at] >= 0x80 or codes[at] == EXCLAMATION or codes[at] == QUESTION:
        return False
    return kinds[at - 1] & kinds[at - 2] & LETTER != 0 and kinds[at + 1] & SPACE != 0
