"""A table of what each code point becomes when a text is normalised for words, for compiled loops to look it up in."""

from functools import cache

import numpy as np

from curate.algorithms.text.letter_classes import SIZE, every_character
from curate.algorithms.text.ngrams import UNSPACED

SPACE = 32
# The form of each ASCII character: capitals become small letters; punctuation (Unicode's P), control characters and
# white space become a space; symbols stay.
ASCII_FORMS = bytes(
    code + 32
    if 65 <= code <= 90
    else SPACE
    if code <= SPACE or code == 127 or chr(code) in "!\"#%&'()*,-./:;?@[\\]_{}"
    else code
    for code in range(128)
)
ALONE = 1 << 21  # added to the form of a character that is a word by itself
ODD = -1  # a code point that may become several, or whose form depends on its neighbours
SIGMA = 0x3A3  # has another small letter at the end of a word


@cache
def word_forms() -> np.ndarray:
    """Return the form of each code point below ``SIZE`` (int32): of a text without ``ODD`` ones, its normal form.

    The form is the small letter, or a space for white space, punctuation and control characters
    (``curate.algorithms.text.ngrams.normalise``). Odd are those that NFKC changes or may join to the one before them.
    """
    codes, every = every_character()
    small = every.str.to_lowercase()
    odd = (every.str.normalize("NFKC") != every) | every.str.contains(r"[\p{M}\p{Cn}\x{1100}-\x{11ff}]")
    odd |= small.str.len_chars() != 1
    forms = np.full(SIZE, ODD, np.int32)
    known = codes[~odd.to_numpy()]
    small = small.filter(~odd)
    forms[known] = [ord(letter) for letter in small]
    forms[known] += small.str.contains(f"[{UNSPACED}]").to_numpy() * np.int32(ALONE)
    forms[known[small.str.contains(r"[\p{P}\p{C}\p{Z}\s]").to_numpy()]] = SPACE
    forms[: len(ASCII_FORMS)] = np.frombuffer(ASCII_FORMS, np.uint8)
    forms[SIGMA] = ODD
    return forms
