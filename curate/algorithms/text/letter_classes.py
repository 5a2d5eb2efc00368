"""Tables of the class of every code point (letter, digit, space ...), for compiled loops to look characters up in.

The classes are Unicode's, as Polars' regular expressions define them. The tables end before U+20000; for a code point
beyond, the loops look up one of the same class within (``text_loops.stand_in``).
"""

from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.text.ngrams import UNSPACED

LETTER, UPPER, LOWER, DIGIT, WORD, SPACE, ALONE, TERMINAL, CLOSER, BULLET = (1 << bit for bit in range(10))
SIZE = 0x20000
KINDS = {
    LETTER: r"\p{L}|\p{M}",
    UPPER: r"\p{Uppercase}|\p{Lt}",
    LOWER: r"\p{Lowercase}",
    DIGIT: r"\p{Nd}",
    WORD: r"\p{L}|\p{M}|\p{N}",  # words are made of these
    SPACE: r"\s|[\x1c-\x1f]",  # the same as Python's str.isspace
    ALONE: f"[{UNSPACED}]",  # a word by itself: in scripts without spaces between words
    TERMINAL: "\\p{Sentence_Terminal}|[…．]",
    CLOSER: r"\p{Pe}|\p{Pf}|\p{Pi}|[\"'*_`]",  # may come between the end of a sentence and the space after it
    BULLET: "[•‣⁃∙▪▫●○◦◆■□·–—➢➤►*+-]",
}
COUNTED = (LETTER, DIGIT, SPACE, UPPER, LOWER)
FIELD = 10  # bits of a counter: five counters fit into one 64-bit number


def every_character() -> tuple[np.ndarray, pl.Series]:
    """Return the code points below ``SIZE`` that are characters, all but surrogates, and each as a text."""
    codes = np.delete(np.arange(SIZE), np.s_[0xD800:0xE000])
    return codes, pl.Series([chr(code) for code in codes.tolist()])


@cache
def letter_classes() -> np.ndarray:
    """Return the classes of each code point below ``SIZE``, one bit a class (uint16)."""
    codes, every = every_character()
    bits = np.zeros(SIZE, np.uint16)
    for bit, pattern in KINDS.items():
        bits[codes] |= every.str.contains(pattern).to_numpy() * np.uint16(bit)
    return bits


@cache
def counters() -> np.ndarray:
    """Return for each code point a number with a one in the field of each class of ``COUNTED`` it has (uint64)."""
    bits = letter_classes()
    return sum(((bits & kind) > 0).astype(np.uint64) << np.uint64(FIELD * place) for place, kind in enumerate(COUNTED))
