"""The compiled loop of ``benchmark_index``: hash the n-grams of a benchmark's texts."""

import numpy as np

from curate.algorithms.compiled import compiled
from curate.algorithms.overlap.bare_word_loops import hash_words, mark_telling
from curate.algorithms.text.shingle_loops import hash_ngrams
from curate.algorithms.text.text_loops import longest_text


@compiled
def hash_texts(
    data: np.ndarray,
    ends: np.ndarray,
    forms: np.ndarray,
    n: int,
    grams: np.ndarray,
    telling: np.ndarray,
    words: np.ndarray,
    wholes: np.ndarray,
) -> np.int64:
    """Write the n-grams of all texts one after another, and for each text the number of words and the hash of all.

    ``telling`` says of each n-gram whether it has a word that ``mark_telling`` marks. Returns the number of n-grams;
    ``grams`` has room for one more than every other byte.
    """
    room = longest_text(ends, 0, len(ends) - 1) // 2 + 1
    word, tells, total = np.empty(room, np.uint64), np.zeros(room, np.bool_), np.int64(0)
    whole = np.empty(1, np.uint64)
    for row in range(len(ends) - 1):
        count = hash_words(data, ends[row], ends[row + 1], forms, word)
        words[row], wholes[row] = count, 0
        if count:
            hash_ngrams(word, count, count, whole)
            wholes[row] = whole[0]
        if count < n:
            continue
        mark_telling(data, ends[row], ends[row + 1], forms, tells)
        since = n  # words since the last telling one
        for at in range(count):
            since = 0 if tells[at] else since + 1
            if at >= n - 1:
                telling[total + at - n + 1] = since < n
        total += hash_ngrams(word, count, n, grams[total:])
    return total
