"""The share of the response's characters that its most frequent n-gram of words covers; 0.0 if none occurs twice.

Punctuation marks count as words ("Yes, sir." has four), and case matters. Gopher (arXiv 2112.11446) drops texts of
which the top 2-gram covers more than 0.20, the top 3-gram more than 0.18, the top 4-gram more than 0.16. In Gopher an
n-gram that occurs once counts too, which can be most of a text of a few words.
"""

import polars as pl

from curate.score._ngram_share import ngram_share


def score(response: pl.Series, *, n: int = 2) -> pl.DataFrame:
    """Return ``value``, the share (0 to 1), and ``error`` ("no response", "empty response").

    Overlapping copies count in full, up to a share of 1.0.

    Args:
        response: The texts.
        n: Words of an n-gram.

    Raises:
        UserError: For ``n`` below 1.
    """
    return ngram_share(response, n, "top_ngram", top=True)
