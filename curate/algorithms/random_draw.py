"""A random order that depends on a row's content and the seed alone: not on where the row stands, nor on versions."""

from hashlib import blake2b

import polars as pl


def text_draws(text: pl.Series, seed: int) -> pl.Series:
    """Give each text a number (UInt64, uniform) from its own hash under ``seed``; equal texts get equal numbers."""
    key = seed.to_bytes(16, "little", signed=True)
    digests = (blake2b((value or "").encode("utf-8"), digest_size=8, key=key).digest() for value in text.to_list())
    numbers = [int.from_bytes(digest, "little") for digest in digests]
    return pl.Series(text.name, numbers, dtype=pl.UInt64)
