"""Compiled loops of ``levels``: write the words, signs and spaces of a text as they are compared."""

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_case_loops import (
    Place,
    all_capitals,
    is_lowered,
    titled_plainly,
)
from curate.algorithms.text.level_lines_loops import column_of, is_code_line, opens_block
from curate.algorithms.text.level_rules_loops import (
    ALONE,
    APOSTROPHE,
    CASE,
    CLOSE,
    END,
    INDENTS,
    LETTER,
    MARK,
    NUMBER,
    OPEN,
    PLAIN,
    PUNCTUATION,
    SENTENCE,
    SPACE,
    STOP,
    UNITS,
    UPPER,
    WHITE_SPACE,
    WORD,
    ends_plainly,
    ends_word,
    is_apart,
    opens_code,
    within_word,
)
from curate.algorithms.text.level_words_loops import is_told_apart
from curate.algorithms.text.text_loops import put_character, stand_in

TO_SMALL = 0x20  # from an ASCII capital to its small letter
FINAL_SIGMA = 0x3C2  # a small letter that has another form inside words, so that capitals do not tell it
APART, INDENT, DEDENT = 0x02, 0x0E, 0x0F  # written before a sign (``is_apart``); for a deeper line, a less deep one
DEEPEST = 64  # levels of indentation
COLON, TICK, FEED, RETURN, TAB, BLANK = 0x3A, 0x60, 0x0A, 0x0D, 0x09, 0x20
# Where the state of a text is kept: bytes written, what the last unit holds, ...
USED, UNIT, GAP, DEPTH, TICKS, STARTS, CAPITALS, ATOMS, SMALL, DEEP, OPENED, CASED, HAS_SMALL, TITLED, *_ = range(17)
CODE, HEAD, COLUMNS = range(14, 17)  # whether the line is code, the column of the line that made it so, of deep lines
STATE = COLUMNS + DEEPEST + 1
SIGNS, WORDS = 1, 2  # a unit so far: signs alone, or a whole one


@inlined
def write_code(out: np.ndarray, state: np.ndarray, code: int) -> None:
    """Write one character as UTF-8."""
    state[USED] = put_character(out, state[USED], code)


@inlined
def begin_atom(out: np.ndarray, state: np.ndarray, flags: int, is_word: bool) -> bool:
    """Write the space that a word or a sign needs before it; return whether it begins a unit.

    A unit is a word with the signs before it: a sign after a word begins one, and so does a word after a word.
    """
    if flags & UNITS:
        new = state[UNIT] != SIGNS
        if state[UNIT] == WORDS:
            write_code(out, state, BLANK)
        state[UNIT] = WORDS if is_word else SIGNS
    else:
        new = True
        if state[GAP] and state[ATOMS]:
            write_code(out, state, BLANK)
    state[GAP] = 0
    state[ATOMS] += 1
    return new


@inlined
def write_word(
    codes: np.ndarray, kinds: np.ndarray, at: int, flags: int, lower: np.ndarray, out: np.ndarray, state: np.ndarray
) -> tuple[int, bool]:
    """Write the word that begins at a character, or what follows an apostrophe in it, up to the next apostrophe.

    Returns the character after it, and whether it begins a unit.
    """
    stop = at + 1
    while kinds[stop] & WORD and not (kinds[stop] | kinds[at]) & ALONE:
        stop += 1
    new = begin_atom(out, state, flags, True)
    if codes[at] != APOSTROPHE:
        read_word(codes, kinds, at, flags, state)
    write_codes(codes, at, stop, lower, state[SMALL] != 0, out, state)
    state[STARTS] = 0
    return stop, new


@inlined
def read_word(codes: np.ndarray, kinds: np.ndarray, at: int, flags: int, state: np.ndarray) -> None:
    """Find out whether the word that begins at a character is written in small letters, and if it is in capitals."""
    end, seen, sigma = at + 1, kinds[at], False
    if not seen & ALONE:
        while kinds[end] & WORD or codes[end] == APOSTROPHE:
            if not within_word(codes, kinds, end):
                break
            seen |= kinds[end]
            sigma = sigma or codes[end] == FINAL_SIGMA
            end += 1
    state[SMALL] = 0
    if flags & CASE and (seen & UPPER or sigma):
        code = state[DEPTH] > 0 or state[TICKS] > 0 or state[CODE] > 0
        small, titled = state[HAS_SMALL] > 0, state[TITLED] > 0
        place = Place(code, state[STARTS] > 0, state[CAPITALS] > 0, state[ATOMS] == 1, small, titled)
        state[SMALL] = is_lowered(codes, kinds, at, end, place)
    if end - at > 1 and seen & LETTER:
        state[CAPITALS] = seen & UPPER and all_capitals(codes, kinds, at, end)


@inlined
def write_codes(
    codes: np.ndarray, at: int, end: int, lower: np.ndarray, small: bool, out: np.ndarray, state: np.ndarray
) -> None:
    """Write characters as they are, or as small letters."""
    used = state[USED]
    for place in range(at, end):
        code = codes[place]
        if small:
            code += lower[stand_in(code)]
        if code < 0x80:
            out[used] = code
            used += 1
        else:
            state[USED] = used
            write_code(out, state, code)
            used = state[USED]
    state[USED] = used


@inlined
def write_sign(codes: np.ndarray, kinds: np.ndarray, at: int, flags: int, out: np.ndarray, state: np.ndarray) -> bool:
    """Write a sign; return whether it begins a unit."""
    code, kind = codes[at], kinds[at]
    if state[DEPTH] > 0 or opens_code(codes, kinds, at):
        if kind & OPEN:
            state[DEPTH] += 1
        elif kind & CLOSE:
            state[DEPTH] -= 1
    if code == TICK and (at == 0 or codes[at - 1] != TICK):
        state[TICKS] = 1 - state[TICKS]
    new = False
    if state[UNIT] == WORDS and ends_word(kinds, at):
        state[ATOMS] += 1
    else:
        new = begin_atom(out, state, flags, False)
    if flags & UNITS and is_apart(codes, kinds, at):
        write_code(out, state, APART)
    write_code(out, state, code)
    if not kind & MARK:
        state[CAPITALS] = 0
        state[STARTS] = 0
    return new


@inlined
def write_plain(
    codes: np.ndarray, kinds: np.ndarray, at: int, flags: int, out: np.ndarray, state: np.ndarray
) -> tuple[int, int]:
    """Write words of ASCII, characters that are words, and spaces, as far as no rule needs a closer look.

    What it does is what ``level_text`` would do without it, in a fraction of the time. Returns the character after them
    and how many units they begin.
    """
    used, units, gap = state[USED], 0, state[GAP]
    titles = flags & CASE and not (state[DEPTH] or state[TICKS] or state[CODE])
    while True:
        kind, end, shift, seen = kinds[at], at + 1, 0, 0
        if kind & (WORD | SPACE | END) == SPACE and codes[at] == BLANK and not kind & STOP:
            gap, at = WHITE_SPACE, at + 1
            continue
        if kind & END and flags & PUNCTUATION and titles and ends_plainly(codes, kinds, at):
            state[STARTS] = state[STARTS] or kind & SENTENCE != 0
            gap, at = WHITE_SPACE, at + 1
            continue
        while kinds[end] & PLAIN:
            seen |= kinds[end]
            end += 1
        if not kind & PLAIN:
            if not (
                titles and kind & UPPER and codes[at] < 0x80 and not seen & NUMBER and titled_plainly(kinds, at, end)
            ):
                break
            if not state[STARTS] and is_told_apart(codes, kinds, at, end):
                break
            shift = TO_SMALL
        if kinds[end] & WORD or codes[end] == APOSTROPHE:
            break
        if (state[UNIT] == WORDS) if flags & UNITS else gap and state[ATOMS]:
            out[used] = BLANK
            used += 1
        units += state[UNIT] != SIGNS
        out[used] = codes[at] + shift
        for place in range(at + 1, end):
            out[used + place - at] = codes[place]
        used += end - at
        if end - at > 1 and not kind & NUMBER:
            state[CAPITALS] = 0
        state[UNIT], state[STARTS], gap, at = WORDS if flags & UNITS else 0, 0, 0, end
        state[ATOMS] += 1
    state[USED], state[GAP] = used, gap
    return at, units


@inlined
def pass_space(codes: np.ndarray, kinds: np.ndarray, at: int, flags: int, out: np.ndarray, state: np.ndarray) -> int:
    """Take white space as one space, write where lines are more or less deep; return the character after it."""
    end, line = at, -1
    while (kinds[end] & (SPACE | STOP)) == SPACE:
        if codes[end] == FEED or codes[end] == RETURN:
            line = end
        if not flags & WHITE_SPACE:
            write_code(out, state, codes[end])
        end += 1
    state[GAP] = flags & WHITE_SPACE
    if line >= 0 and flags & CASE and not kinds[end] & STOP:
        begin_line(codes, kinds, end, column_of(codes, line + 1, end), state)
    if line >= 0 and flags & INDENTS and not kinds[end] & STOP and not state[DEPTH]:
        write_depth(codes, kinds, at, line, end, flags, out, state)
    return end


@inlined
def begin_line(codes: np.ndarray, kinds: np.ndarray, at: int, column: int, state: np.ndarray) -> None:
    """Find out whether a line is code: by itself, or deeper than a line before it that is."""
    if state[CODE] and column > state[HEAD]:
        return
    state[CODE], state[HEAD] = is_code_line(codes, kinds, at), column


@inlined
def write_depth(
    codes: np.ndarray, kinds: np.ndarray, at: int, line: int, end: int, flags: int, out: np.ndarray, state: np.ndarray
) -> None:
    """Write that the line from ``line`` on is deeper than the one it belongs to (``opens_block``), or less deep."""
    column = column_of(codes, line + 1, end)
    while state[DEEP] and column < state[COLUMNS + state[DEEP]]:
        state[DEEP] -= 1
        begin_atom(out, state, flags, False)
        write_code(out, state, DEDENT)
    deepest = state[COLUMNS + state[DEEP]] if state[DEEP] else 0
    if column > deepest and state[DEEP] < DEEPEST and opens_block(codes, kinds, at, end, column):
        state[DEEP] += 1
        state[COLUMNS + state[DEEP]] = column
        begin_atom(out, state, flags, False)
        write_code(out, state, INDENT)
