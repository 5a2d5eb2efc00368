"""The share of the response's word n-grams that were there before: 0.0 for no repetition, near 1.0 for a loop.

How words are cut is said in ``curate.ngrams``. A response shorter than ``ngram`` words repeats nothing.
"""

import numpy as np
import polars as pl

from curate.ngrams import ngram_sets, normalise
from schemas.errors import UserError


def score(response: pl.Series, *, ngram: int = 3) -> pl.Series:
    """Return the share for each response, in [0, 1); null for a null one.

    Raises ``UserError`` for ``ngram`` below 1.
    """
    if ngram < 1:
        raise UserError(f"score repetition: ngram must be at least 1, found {ngram}")
    words = normalise(response)
    _, ends, total = ngram_sets(words, ngram)
    distinct = np.diff(ends)
    share = pl.Series("value", 1.0 - distinct / np.maximum(total, 1)).set(pl.Series(total == 0), 0.0)
    return share.set(words.is_null(), None)
