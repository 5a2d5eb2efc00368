"""Count the words of a column of texts in their bytes, many times as fast as with regular expressions."""

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.ngrams import UNSPACED
from curate.algorithms.text.utf8 import utf8

BLOCK = 8192  # texts in a thread's block


def count_words(texts: pl.Series) -> np.ndarray:
    """Return the number of words between white space in each text; 0 for null.

    In scripts without spaces every character is a word.
    """
    found = np.zeros(len(texts), np.int64)
    if len(texts):
        from curate.algorithms.text.word_loops import count_spaced_words

        data, ends = utf8(texts)
        in_blocks(len(texts), BLOCK, lambda low, high: count_spaced_words(data, ends, low, high, found))
    beyond = (texts.str.len_bytes() != texts.str.len_chars()).fill_null(False)
    rare = beyond.arg_true().gather(texts.filter(beyond).str.contains(rf"[{UNSPACED}\s--[\t-\r\x20]]").arg_true())
    found[rare.to_numpy()] = texts.gather(rare).str.count_matches(rf"[{UNSPACED}]|[^\s{UNSPACED}]+").to_numpy()
    return found
