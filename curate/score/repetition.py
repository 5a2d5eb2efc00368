"""The share of the response's word n-grams that repeat an earlier one: 0.0 for no repetition, near 1.0 for a loop.

``curate.algorithms.text.ngrams`` defines words. A response shorter than ``ngram`` words repeats nothing.
"""

import numpy as np
import polars as pl

from curate.algorithms.parallel import in_blocks
from curate.algorithms.text.ngrams import normalise
from curate.algorithms.text.utf8 import utf8
from curate.algorithms.text.word_forms import word_forms
from schemas.errors import UserError

BLOCK = 1024  # texts in a thread's block


def score(response: pl.Series, *, ngram: int = 3) -> pl.Series:
    """Return the share for each response, in [0, 1); null for a null one.

    Args:
        response: The texts.
        ngram: Words of an n-gram.

    Raises:
        UserError: For ``ngram`` below 1.
    """
    if ngram < 1:
        raise UserError(f"score repetition: ngram must be at least 1, found {ngram}")
    texts = response.cast(pl.String)
    share = _share(texts, ngram, normal=False)
    odd = pl.Series(share < 0)
    if odd.any():
        share[odd.to_numpy()] = _share(normalise(texts.filter(odd)), ngram, normal=True)
    return pl.Series("value", share).set(texts.is_null(), None)


def _share(texts: pl.Series, ngram: int, *, normal: bool) -> np.ndarray:
    """Return the share of each text, 0 for null; -1 where a text that is not ``normal`` has to be normalised first."""
    share = np.zeros(len(texts))
    if len(texts):
        from curate.algorithms.text.word_ngram_loops import repeated_share

        (data, ends), forms = utf8(texts), word_forms()
        in_blocks(
            len(texts), BLOCK, lambda low, high: repeated_share(data, ends, forms, normal, ngram, low, high, share)
        )
    return share
