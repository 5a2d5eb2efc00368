"""The share of the response's characters in repeated n-grams of words: 0.0 for none, near 1.0 for a loop.

Punctuation marks count as words ("Yes, sir." has four), and case matters. No character counts twice: after a repeated
n-gram, the next one begins behind it. Gopher (arXiv 2112.11446) drops texts with more than 0.15 in 5-grams, 0.14 in
6-grams, and so on to 0.10 in 10-grams. (``repetition`` counts n-grams instead of characters, and ignores case.)
"""

import polars as pl

from curate.score._ngram_share import ngram_share


def score(response: pl.Series, *, n: int = 5) -> pl.DataFrame:
    """Return ``value``, the share (0 to below 1), and ``error`` ("no response", "empty response").

    Args:
        response: The texts.
        n: Words of an n-gram.

    Raises:
        UserError: For ``n`` below 1.
    """
    return ngram_share(response, n, "repeated_ngrams", top=False)
