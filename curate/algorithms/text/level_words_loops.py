"""Compiled word lists of ``levels``: words that tell whether a mark or a capital beside them counts."""

import numpy as np

from curate.algorithms.compiled import inlined
from curate.algorithms.text.level_rules_loops import LETTER

LONGEST = 8  # letters of a word that a number holds, one a byte


def packed(words: str) -> tuple[int, ...]:
    """Return words of ASCII as numbers: the bytes of their first eight letters."""
    return tuple(int.from_bytes(word.encode()[:LONGEST], "big") for word in words.split())


# In a text without capitals, a sentence is not taken to begin with these: "what does save! do".
GOES_ON = packed("do does mean means in and or is return returns work works from with to for as vs differ on method")


@inlined
def word_at(codes: np.ndarray, kinds: np.ndarray, at: int) -> int:
    """Return the word of ASCII letters that begins at a place as a number (``packed``), in small letters."""
    word, end = 0, at + LONGEST
    while at < end and kinds[at] & LETTER and codes[at] < 0x80:
        word = word << 8 | codes[at] | 0x20
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
