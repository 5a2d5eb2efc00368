"""Compiled loops of ``levels``: write each text as it is compared, character by character.

A text is first read as code points with their classes (``read_text``); the rules of ``level_rules_loops`` look at the
neighbours of a character there. Every look at neighbours ends after ``FAR`` characters but white space, so that a
text takes linear time whatever it is made of.
"""

import numpy as np

from curate.algorithms.compiled import compiled, inlined
from curate.algorithms.text.level_rules_loops import (
    ALONE,
    APOSTROPHE,
    CASE,
    CLOSE,
    END,
    IN_WORDS,
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
    Place,
    all_capitals,
    ends_plainly,
    is_apart,
    is_lowered,
    keeps_mark,
    opens_code,
    pass_left,
    titled_plainly,
    within_word,
)
from curate.algorithms.text.text_loops import character, longest_text, stand_in

SMALL = 0x20  # from an ASCII capital to its small letter
FINAL_SIGMA = 0x3C2  # a small letter that has another form inside words, so that capitals do not tell it
SLOW = -1  # the form of a character that depends on others
CODE_BITS, CODE = 21, 0x1FFFFF  # a form holds up to three code points
APART, INDENT, DEDENT = 0x02, 0x0E, 0x0F  # written before a sign (``is_apart``); for a deeper line, a less deep one
COMPATIBLE = (0x2F800, 0x2FA20)  # characters beyond the table that have another form
DEEPEST = 64  # levels of indentation
MINUS, PLUS, COLON, TICK, FEED, RETURN, TAB, BLANK = 0x2D, 0x2B, 0x3A, 0x60, 0x0A, 0x0D, 0x09, 0x20
# Where the state of a text is kept: bytes written, what the last unit holds, ...
USED, UNIT, GAP, DEPTH, TICKS, STARTS, CAPITALS, ATOMS, DEEP, COLUMNS = range(10)
STATE = COLUMNS + DEEPEST + 1
SIGNS, WORDS = 1, 2  # a unit so far: signs alone, or a whole one


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
def read_origins(data: np.ndarray, at: int, end: int, forms: np.ndarray, origin: np.ndarray) -> None:
    """Write for each code point of ``read_text``, and for the end, the first byte of the character it is from."""
    count = 0
    while at < end:
        first = at
        code, at = character(data, at)
        form = folded(code, forms) if code >= 0x80 else 1
        while form:
            origin[count] = first
            count, form = count + 1, form >> CODE_BITS
    origin[count] = end


@inlined
def write_code(out: np.ndarray, state: np.ndarray, code: int) -> None:
    """Write one character as UTF-8."""
    used = state[USED]
    if code < 0x80:
        out[used] = code
    elif code < 0x800:
        out[used], out[used + 1] = 0xC0 | code >> 6, 0x80 | (code & 0x3F)
        used += 1
    elif code < 0x10000:
        out[used], out[used + 1], out[used + 2] = 0xE0 | code >> 12, 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
        used += 2
    else:
        out[used], out[used + 1] = 0xF0 | code >> 18, 0x80 | (code >> 12 & 0x3F)
        out[used + 2], out[used + 3] = 0x80 | (code >> 6 & 0x3F), 0x80 | (code & 0x3F)
        used += 3
    state[USED] = used + 1


@inlined
def begin_atom(out: np.ndarray, state: np.ndarray, flags: int, is_word: bool) -> bool:
    """Write the space that a word or a sign needs before it; return whether it begins a unit.

    A unit is a word with the signs before it: each sign after a word begins one, and so does a word after a word.
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
    """Write the word that begins at a character; return the character after it, and whether it begins a unit."""
    end, seen, sigma = at + 1, kinds[at], False
    if not seen & ALONE:
        while kinds[end] & WORD or codes[end] == APOSTROPHE:
            if not within_word(codes, kinds, end):
                break
            seen |= kinds[end]
            sigma = sigma or codes[end] == FINAL_SIGMA
            end += 1
    new = begin_atom(out, state, flags, True)
    small = False
    if flags & CASE and (seen & UPPER or sigma):
        code = state[DEPTH] > 0 or state[TICKS] > 0
        place = Place(code, state[STARTS] > 0, state[CAPITALS] > 0, state[ATOMS] == 1)
        small = is_lowered(codes, kinds, at, end, place)
    write_codes(codes, at, end, lower, small, out, state)
    state[STARTS] = 0
    if end - at > 1 and seen & LETTER:
        state[CAPITALS] = seen & UPPER and all_capitals(codes, kinds, at, end)
    return end, new


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
    titles = flags & CASE and not (state[DEPTH] or state[TICKS])
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
            shift = SMALL
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
    if line >= 0 and flags & INDENTS and not kinds[end] & STOP and not state[DEPTH]:
        write_depth(codes, kinds, at, line, end, flags, out, state)
    return end


@inlined
def write_depth(
    codes: np.ndarray, kinds: np.ndarray, at: int, line: int, end: int, flags: int, out: np.ndarray, state: np.ndarray
) -> None:
    """Write that the line from ``line`` on is deeper than the one before it, which ends in ":", or less deep."""
    column = 0
    for place in range(line + 1, end):
        column = (column // 8 + 1) * 8 if codes[place] == TAB else column + 1
    while state[DEEP] and column < state[COLUMNS + state[DEEP]]:
        state[DEEP] -= 1
        begin_atom(out, state, flags, False)
        write_code(out, state, DEDENT)
    deepest = state[COLUMNS + state[DEEP]] if state[DEEP] else 0
    before = pass_left(codes, kinds, at - 1, SPACE)
    if before >= 0 and codes[before] == COLON and column > deepest and state[DEEP] < DEEPEST:
        state[DEEP] += 1
        state[COLUMNS + state[DEEP]] = column
        begin_atom(out, state, flags, False)
        write_code(out, state, INDENT)


@inlined
def level_text(
    codes: np.ndarray,
    kinds: np.ndarray,
    flags: int,
    lower: np.ndarray,
    out: np.ndarray,
    state: np.ndarray,
    places: np.ndarray,
) -> int:
    """Write one text as it is compared; return how many units it has.

    Args:
        codes: The code points of the text.
        kinds: Their classes.
        flags: What is levelled.
        lower: What to add to each code point to get its small letter.
        out: The bytes to write to, from ``state[USED]`` on.
        state: The state of the loop; all but ``USED`` begins anew.
        places: For each unit its first character and the one after its last; where ``flags`` has no ``IN_WORDS``, as
            long as one unit, and not written.
    """
    state[USED + 1 :] = 0
    state[STARTS] = 1
    at, units = 0, 0
    while not kinds[at] & STOP:
        begun, new, kept = at, False, True
        if flags & WHITE_SPACE and not flags & IN_WORDS:
            at, more = write_plain(codes, kinds, at, flags, out, state)
            units += more
            if at > begun:
                continue
        if kinds[at] & SPACE:
            at = pass_space(codes, kinds, at, flags, out, state)
            continue
        if kinds[at] & WORD:
            at, new = write_word(codes, kinds, at, flags, lower, out, state)
        else:
            code = state[DEPTH] > 0 or state[TICKS] > 0
            if code or not flags & PUNCTUATION or not kinds[at] & MARK or keeps_mark(codes, kinds, at):
                new = write_sign(codes, kinds, at, flags, out, state)
            else:
                state[GAP], kept = flags & WHITE_SPACE, False
            if kinds[at] & SENTENCE and not code:
                state[STARTS] = 1
            at += 1
        units += new
        if flags & IN_WORDS and units and kept:
            if new:
                places[units - 1, 0] = begun
            places[units - 1, 1] = at
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
    places, state = np.empty((1, 2), np.int64), np.zeros(STATE, np.int64)
    for row in range(len(ends) - 1):
        out_ends[row] = state[USED]
        read_text(data, ends[row], ends[row + 1], forms, classes, codes, kinds)
        level_text(codes, kinds, flags, lower, out, state, places)
    out_ends[len(ends) - 1] = state[USED]


@compiled
def locate_units(
    data: np.ndarray,
    ends: np.ndarray,
    forms: np.ndarray,
    classes: np.ndarray,
    lower: np.ndarray,
    flags: int,
    span: np.ndarray,
    found: np.ndarray,
) -> None:
    """Write for each text where the units from ``span[row, 0]`` up to ``span[row, 1]`` begin and end, in bytes.

    Bytes are counted from the beginning of the text; the second unit is not among them.
    """
    room = longest_text(ends, 0, len(ends) - 1) + 4
    codes, kinds, origin = np.empty(room, np.int32), np.empty(room, np.uint16), np.empty(room, np.int64)
    places, state, out = np.empty((room, 2), np.int64), np.zeros(STATE, np.int64), np.empty(3 * room, np.uint8)
    for row in range(len(ends) - 1):
        state[USED] = 0
        read_text(data, ends[row], ends[row + 1], forms, classes, codes, kinds)
        read_origins(data, ends[row], ends[row + 1], forms, origin)
        level_text(codes, kinds, flags | IN_WORDS, lower, out, state, places)
        found[row, 0] = origin[places[span[row, 0], 0]] - ends[row]
        found[row, 1] = origin[places[span[row, 1] - 1, 1]] - ends[row]
