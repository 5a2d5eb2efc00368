"""The share of a text's characters that n-grams of words cover, for ``top_ngram`` and ``repeated_ngrams``."""

import polars as pl

from curate.algorithms.text.text_counts import ngrams
from schemas.errors import UserError


def ngram_share(response: pl.Series, n: int, name: str, *, top: bool) -> pl.DataFrame:
    """Return ``value`` (0 to 1) and ``error``.

    Args:
        response: The texts.
        n: Words of an n-gram.
        name: Name of the scorer, for the message of an error.
        top: Whether the share is that of the most frequent n-gram, or of all repeated ones.

    Raises:
        UserError: For ``n`` below 1.
    """
    if n < 1:
        raise UserError(f"score {name}: n must be at least 1, found {n}")
    text = response.cast(pl.String)
    whole = pl.col("characters")
    share = (pl.col("covered") / whole).clip(upper_bound=1.0)
    return ngrams(text, n, top=top).select(
        value=pl.when(text.is_not_null() & (whole > 0)).then(share),
        error=pl.when(text.is_null()).then(pl.lit("no response")).when(whole == 0).then(pl.lit("empty response")),
    )
