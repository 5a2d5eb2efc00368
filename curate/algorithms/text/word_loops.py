"""Compiled loops that count the words between white space; ``text_columns`` and ``word_bytes`` define which."""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.letter_classes import SIZE
from curate.algorithms.text.text_loops import character

SPACE, ALNUM = 1, 2  # in the table of ``text_columns.word_classes``


@compiled
def count_alnum_words(
    data: np.ndarray, ends: np.ndarray, kinds: np.ndarray, low: int, high: int, out: np.ndarray
) -> None:
    """Fill ``out`` with the words of each text that hold a letter or digit; -1 for characters beyond the table."""
    for row in range(low, high):
        at, end = ends[row], ends[row + 1]
        count, counted = 0, False
        while at < end:
            if data[at] < 0x80:
                code, at = int(data[at]), at + 1
            else:
                code, at = character(data, at)
            if code >= SIZE:
                count = -1
                break
            kind = kinds[code]
            if kind & SPACE:
                counted = False
            elif kind & ALNUM and not counted:
                counted = True
                count += 1
        out[row] = count


@compiled
def count_spaced_words(data: np.ndarray, ends: np.ndarray, low: int, high: int, out: np.ndarray) -> None:
    """Fill ``out`` with the words of each text between ASCII's white space."""
    for row in range(low, high):
        count, before = 0, True
        for at in range(ends[row], ends[row + 1]):
            space = data[at] == 32 or np.uint8(data[at] - np.uint8(9)) < 5  # tab to carriage return
            count += before and not space
            before = space
        out[row] = count
