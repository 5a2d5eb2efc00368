"""Count the sentences of a column of texts, and the words of each text's longest one, in compiled passes."""

from functools import cache

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.letter_classes import SIZE
from curate.algorithms.text.utf8 import utf8
from curate.verifiers.constraints.text_units import ABBREVIATIONS, CLOSERS, OPENERS, STOPS, sentence_lengths

BLOCK = 8192  # texts in a thread's block
BREAKS = "。！？"  # end a token, also without white space


def sentence_counts(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Return how many sentences each text has, and the words of its longest (Int64), by ``sentence_lengths``."""
    found = np.zeros((len(texts), 2), np.int64)
    if len(texts):
        from curate.verifiers.constraints.sentence_loops import count_sentences

        (data, ends), table, short = utf8(texts), _classes(), _abbreviations()
        in_blocks(len(texts), BLOCK, lambda low, high: count_sentences(data, ends, table, short, low, high, found))
    for row in np.flatnonzero(found[:, 0] < 0).tolist():  # rare characters
        lengths = sentence_lengths(texts[row])
        found[row] = len(lengths), max(lengths, default=0)
    return pl.Series(found[:, 0]), pl.Series(found[:, 1])


@cache
def _classes() -> np.ndarray:
    """The classes of the code points below ``SIZE`` as Python's own methods define them, one bit a class (uint8)."""
    from curate.verifiers.constraints import sentence_loops as loops

    every = [chr(code) for code in range(SIZE)]
    methods = {loops.SPACE: str.isspace, loops.ALNUM: str.isalnum, loops.ALPHA: str.isalpha, loops.DIGIT: str.isdigit}
    table = np.zeros(SIZE, np.uint8)
    for bit, method in methods.items():
        table |= np.fromiter(map(method, every), bool, SIZE) * np.uint8(bit)
    signs = {loops.STOP: STOPS, loops.CLOSER: CLOSERS, loops.OPENER: OPENERS, loops.BREAK: BREAKS}
    for bit, characters in signs.items():
        table[[ord(sign) for sign in characters]] |= np.uint8(bit)
    return table


@cache
def _abbreviations() -> np.ndarray:
    """The abbreviations, each of at most seven bytes, as numbers (uint64)."""
    return np.array([int.from_bytes(short.encode(), "big") for short in sorted(ABBREVIATIONS)], np.uint64)
