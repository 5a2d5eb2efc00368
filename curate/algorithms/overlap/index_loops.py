"""The compiled loop of ``benchmark_index``: hash the n-grams of a benchmark's texts."""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.text.shingle_loops import hash_ngrams, hash_text, hash_words
from curate.algorithms.text.text_loops import longest_text


@compiled
def hash_texts(
    data: np.ndarray,
    ends: np.ndarray,
    n: int,
    fold: bool,
    grams: np.ndarray,
    words: np.ndarray,
    wholes: np.ndarray,
) -> np.int64:
    """Write the n-grams of all texts one after another, and for each text the number of words and the hash of all.

    With ``fold`` the n-grams are of small letters. Returns the number of n-grams; ``grams`` has room for one more than
    every other byte.
    """
    room = longest_text(ends, 0, len(ends) - 1) // 2 + 1
    word, total = np.empty(room, np.uint64), np.int64(0)
    for row in range(len(ends) - 1):
        count = hash_words(data, ends[row], ends[row + 1], False, fold, word)
        words[row] = count
        wholes[row], _ = hash_text(data, ends[row], ends[row + 1])
        if count >= n:
            total += hash_ngrams(word, count, n, grams[total:])
    return total
