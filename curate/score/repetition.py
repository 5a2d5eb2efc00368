"""The share of the response's word n-grams that repeat an earlier one: 0.0 for no repetition, near 1.0 for a loop.

``curate.algorithms.text.ngrams`` defines words. A response shorter than ``ngram`` words repeats nothing.
"""

import numpy as np
import polars as pl

from curate.algorithms.text.ngrams import HASH_BITS, ngrams
from curate.algorithms.text.word_bytes import hashes, map_blocks, normalise_beyond_ascii
from schemas.errors import UserError


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
    share = map_blocks(normalise_beyond_ascii(texts.fill_null("")), lambda block: _share(block, ngram))
    return pl.Series("value", share).set(texts.is_null(), None)


def _share(texts: pl.Series, ngram: int) -> np.ndarray:
    grams, starts = ngrams(*hashes(texts), ngram)
    total = np.diff(starts)
    row = np.repeat(np.arange(len(total), dtype=np.uint64), total)
    keys = np.sort((row << np.uint64(HASH_BITS)) | grams)
    again = keys[1:][keys[1:] == keys[:-1]] >> np.uint64(HASH_BITS)
    return np.bincount(again.astype(np.int64), minlength=len(total)) / np.maximum(total, 1)
