"""The share of the response's characters that its most frequent n-gram of words covers; 0.0 where none comes twice.

Marks around words are apart ("Yes, sir." has four), and capitals count. Gopher (arXiv 2112.11446) drops texts of which
the top 2-gram covers more than 0.20, the top 3-gram more than 0.18, the top 4-gram more than 0.16. There an n-gram that
comes once counts too, which in a text of a few words is most of it.
"""

import polars as pl

from curate.score._ngram_share import ngram_share


def score(response: pl.Series, *, n: int = 2) -> pl.DataFrame:
    """Return ``value``, the share (0 to 1), and ``error`` ("no response", "empty response").

    Copies that overlap count in full, up to 1.0. Raises ``UserError`` for ``n`` below 1.
    """
    return ngram_share(response, n, "top_ngram", top=True)
