"""Compiled loops of ``levels``: write each text as it is compared, character by character.

A text is first read as code points with their classes (``read_text``); the rules of ``level_rules_loops`` and
``level_case_loops`` look at the neighbours of a character there. Every look ends after ``FAR`` characters but white
space, so that a text takes linear time whatever it is made of.
"""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.level_rules_loops import (
    ALONE,
    APOSTROPHE,
    CASE,
    CLOSE,
    END,
    EXCLAMATION,
    MARK,
    ONLY_RULES,
    PUNCTUATION,
    QUESTION,
    QUOTE,
    SENTENCE,
    SPACE,
    STOP,
    UPPER,
    WHITE_SPACE,
    WORD,
    keeps_mark,
    names_end,
    pass_right,
    within_word,
)
from curate.algorithms.text.level_words_loops import goes_on, read_letters
from curate.algorithms.text.level_write_loops import (
    BLANK,
    CASED,
    DEPTH,
    GAP,
    HAS_SMALL,
    OPENED,
    STARTS,
    STATE,
    TICKS,
    TITLED,
    USED,
    begin_line,
    pass_space,
    write_plain,
    write_sign,
    write_word,
)
from curate.algorithms.text.text_loops import character, longest_text, stand_in

GUILLEMET, GUILLEMET_CLOSED, CORNER, WHITE_CORNER = 0xAB, 0xBB, 0x300C, 0x300E  # « » 「 『
SLOW = -1  # the form of a character that depends on others
CODE_BITS, CODE = 21, 0x1FFFFF  # a form holds up to three code points
COMPATIBLE = (0x2F800, 0x2FA20)  # characters beyond the table that have another form


@compiled
def find_slow(data: np.ndarray, ends: np.ndarray, forms: np.ndarray, slow: np.ndarray) -> int:
    """Mark the texts with a character whose form depends on others; return how many."""
    found = 0
    for row in range(len(ends) - 1):
        at, end = ends[row], ends[row + 1]
        slow[row] = False
        while at < end and not slow[row]:
            if data[at] < 0x80:
                at += 1
            else:
                code, at = character(data, at)
                slow[row] = forms[code] == SLOW if code < len(forms) else COMPATIBLE[0] <= code < COMPATIBLE[1]
        found += slow[row]
    return found


@inlined
def read_text(
    data: np.ndarray, at: int, end: int, forms: np.ndarray, classes: np.ndarray, codes: np.ndarray, kinds: np.ndarray
) -> int:
    """Write the code points of one text, folded by ``forms``, and their classes; return how many.

    Behind the last are spaces: there is room for four more than the text has bytes.
    """
    count = 0
    while at < end:
        if data[at] < 0x80:
            codes[count], kinds[count] = data[at], classes[data[at]]
            count, at = count + 1, at + 1
            continue
        code, at = character(data, at)
        form = folded(code, forms)
        while form:
            part = form & CODE
            codes[count], kinds[count] = part, classes[stand_in(part)]
            count, form = count + 1, form >> CODE_BITS
    for place in range(count, count + 4):
        codes[place], kinds[place] = BLANK, SPACE | STOP
    return count


@inlined
def folded(code: int, forms: np.ndarray) -> int:
    """Return the form of a character beyond ASCII: up to three code points, or 0 where it is left out."""
    if code >= len(forms) or forms[code] == SLOW:
        return code
    return forms[code]


@inlined
def counts(codes: np.ndarray, kinds: np.ndarray, at: int, state: np.ndarray) -> bool:
    """Return whether a mark counts (``keeps_mark``), or is a "!" or "?" that belongs to the word before it."""
    if keeps_mark(codes, kinds, at, state[OPENED] != 0):
        return True
    if codes[at] != EXCLAMATION and codes[at] != QUESTION:
        return False
    belongs = names_end(codes, kinds, at)
    if belongs < 2:
        return belongs == 1
    if not state[CASED]:
        state[CASED] = 1 + has_capital(kinds)
    right = pass_right(codes, kinds, at + 1, SPACE | MARK)
    return state[CASED] == 2 or goes_on(codes, kinds, right)


@inlined
def has_capital(kinds: np.ndarray) -> bool:
    """Return whether a text has a capital, so that a small letter begins no sentence."""
    at = 0
    while not kinds[at] & (STOP | UPPER):
        at += 1
    return kinds[at] & UPPER != 0


@inlined
def quotes_around(codes: np.ndarray, kinds: np.ndarray) -> tuple[int, int]:
    """Return the places of a pair of quotes around all of a text of several words, without others of theirs, or -1."""
    first = 0
    while kinds[first] & (SPACE | STOP) == SPACE:
        first += 1
    if not kinds[first] & QUOTE:
        return -1, -1
    code, closing = codes[first], codes[first]
    if code == GUILLEMET:
        closing = GUILLEMET_CLOSED
    elif code == CORNER or code == WHITE_CORNER:
        closing += 1
    count, last, gaps, at = 0, first, 0, first + 1
    while not kinds[at] & STOP:
        if codes[at] == code or codes[at] == closing:
            count, last = count + 1, at
        gaps += kinds[at] & (SPACE | ALONE) != 0 and count == 0
        at += 1
    while kinds[at - 1] & SPACE:
        at -= 1
    return (first, last) if count == 1 and last == at - 1 and gaps else (-1, -1)


@inlined
def begin_text(codes: np.ndarray, kinds: np.ndarray, flags: int, state: np.ndarray) -> int:
    """Set the state of a text that begins; return the flags, without ``CASE`` where it speaks of capitals."""
    state[USED + 1 :] = 0
    state[STARTS] = 1
    if not flags & CASE:
        return flags
    state[HAS_SMALL], state[TITLED], speaks = read_letters(codes, kinds)
    start = 0
    while (kinds[start] & (SPACE | STOP)) == SPACE:
        start += 1
    if not kinds[start] & STOP:
        begin_line(codes, kinds, start, 0, state)
    return flags & ~CASE if speaks else flags


@inlined
def level_text(
    codes: np.ndarray,
    kinds: np.ndarray,
    flags: int,
    lower: np.ndarray,
    out: np.ndarray,
    state: np.ndarray,
) -> int:
    """Write one text as it is compared; return how many units it has.

    Args:
        codes: The code points of the text.
        kinds: Their classes.
        flags: What is levelled.
        lower: What to add to each code point to get its small letter.
        out: The bytes to write to, from ``state[USED]`` on.
        state: The state of the loop; all but ``USED`` begins anew.
    """
    flags = begin_text(codes, kinds, flags, state)
    at, units = 0, 0
    first, last = quotes_around(codes, kinds) if flags & PUNCTUATION else (-1, -1)
    while not kinds[at] & STOP:
        begun, new = at, False
        if at == first or at == last:
            at += 1
            continue
        if flags & WHITE_SPACE and not flags & ONLY_RULES:
            at, more = write_plain(codes, kinds, at, flags, out, state)
            units += more
            if at > begun:
                continue
        if kinds[at] & SPACE:
            at = pass_space(codes, kinds, at, flags, out, state)
            continue
        if kinds[at] & WORD or (codes[at] == APOSTROPHE and at > 0 and within_word(codes, kinds, at)):
            at, new = write_word(codes, kinds, at, flags, lower, out, state)
        else:
            code = state[DEPTH] > 0 or state[TICKS] > 0
            if code or not flags & PUNCTUATION or not kinds[at] & MARK or counts(codes, kinds, at, state):
                new = write_sign(codes, kinds, at, flags, out, state)
            else:
                state[GAP] = flags & WHITE_SPACE
                if codes[at] == APOSTROPHE:
                    state[OPENED] = at == 0 or not kinds[at - 1] & (WORD | END | CLOSE)
            if kinds[at] & SENTENCE and not code:
                state[STARTS] = 1
            at += 1
        units += new
    return units


@compiled
def level_rows(
    data: np.ndarray,
    ends: np.ndarray,
    forms: np.ndarray,
    classes: np.ndarray,
    lower: np.ndarray,
    flags: int,
    out: np.ndarray,
    out_ends: np.ndarray,
) -> None:
    """Write all texts as they are compared, one after another, and where each begins and the last ends."""
    room = longest_text(ends, 0, len(ends) - 1) + 4
    codes, kinds = np.empty(room, np.int32), np.empty(room, np.uint16)
    state = np.zeros(STATE, np.int64)
    for row in range(len(ends) - 1):
        out_ends[row] = state[USED]
        read_text(data, ends[row], ends[row + 1], forms, classes, codes, kinds)
        level_text(codes, kinds, flags, lower, out, state)
    out_ends[len(ends) - 1] = state[USED]
