"""Random numbers for rows, made from a row's text or id and a seed: independent of row order and of versions.

Sorting rows by these numbers gives a random order in which a row that is added or removed moves no other.
"""

from hashlib import blake2b

import numpy as np
import polars as pl

CONTENT_ID = r"^[a-z]_[0-9a-f]{20}$"  # an id of schemas.ids: a hash, so its digits need only be mixed with the seed
SPLITMIX_ADD, SPLITMIX_1, SPLITMIX_2 = (
    np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)


def text_draws(text: pl.Series, seed: int) -> pl.Series:
    """Return a uniform random number (UInt64) for each text, its keyed hash; equal texts get equal numbers."""
    key = seed.to_bytes(16, "little", signed=True)
    digests = (blake2b((value or "").encode("utf-8"), digest_size=8, key=key).digest() for value in text.to_list())
    numbers = [int.from_bytes(digest, "little") for digest in digests]
    return pl.Series(text.name, numbers, dtype=pl.UInt64)


def id_draws(ids: pl.Series, seed: int, purpose: str = "") -> pl.Series:
    """Return a uniform random number (UInt64) for each id; equal ids get equal numbers.

    Args:
        ids: Ids of rows; a null counts as an empty text. Content ids take a fast path without hashing.
        seed: The recipe's seed.
        purpose: A name for this use of the numbers: uses with different names get independent numbers.
    """
    key = int.from_bytes(blake2b(f"{seed}\n{purpose}".encode(), digest_size=8).digest(), "little")
    ids = ids.cast(pl.String).fill_null("")
    hashed = ids.str.contains(CONTENT_ID)
    digits = ids.filter(hashed).str.slice(2, 15).str.to_integer(base=16).cast(pl.UInt64).to_numpy()
    draws = np.empty(len(ids), np.uint64)
    draws[hashed.to_numpy()] = mix64(digits ^ np.uint64(key))
    draws[~hashed.to_numpy()] = text_draws(ids.filter(~hashed), key - (1 << 63)).to_numpy()
    return pl.Series(ids.name, draws)


def mix64(values: np.ndarray) -> np.ndarray:
    """Scramble 64-bit numbers one to one (the finaliser of SplitMix64; Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        values = values + SPLITMIX_ADD
        values = (values ^ (values >> np.uint64(30))) * SPLITMIX_1
        values = (values ^ (values >> np.uint64(27))) * SPLITMIX_2
        return values ^ (values >> np.uint64(31))


def uniform(draws: pl.Series) -> np.ndarray:
    """Return random 64-bit numbers as numbers strictly between 0 and 1 (float64)."""
    return ((draws.to_numpy() >> np.uint64(11)).astype(np.float64) + 0.5) / float(1 << 53)
