"""Lots: a random number for every row, from its id and the seed alone, so that no draw depends on the order of rows."""

from hashlib import blake2b

import numpy as np
import polars as pl

from curate.algorithms.random_draw import text_draws

OURS = r"^[a-z]_[0-9a-f]{20}$"  # an id of ours is a hash already: its digits need only be mixed with the seed
GOLDEN, ONE, TWO = (np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def id_draws(ids: pl.Series, seed: int, purpose: str = "") -> pl.Series:
    """Return a number (UInt64, uniform) for each id; equal ids get equal numbers, another ``purpose`` other ones."""
    key = int.from_bytes(blake2b(f"{seed}\n{purpose}".encode(), digest_size=8).digest(), "little")
    ids = ids.cast(pl.String).fill_null("")
    ours = ids.str.contains(OURS)
    digits = ids.filter(ours).str.slice(2, 15).str.to_integer(base=16).cast(pl.UInt64).to_numpy()
    found = np.empty(len(ids), np.uint64)
    found[ours.to_numpy()] = mix64(digits ^ np.uint64(key))
    found[~ours.to_numpy()] = text_draws(ids.filter(~ours), key - (1 << 63)).to_numpy()
    return pl.Series(ids.name, found)


def mix64(values: np.ndarray) -> np.ndarray:
    """Scatter 64-bit numbers one to one (the finaliser of SplitMix64; Steele, Lea, Flood 2014)."""
    with np.errstate(over="ignore"):
        values = values + GOLDEN
        values = (values ^ (values >> np.uint64(30))) * ONE
        values = (values ^ (values >> np.uint64(27))) * TWO
        return values ^ (values >> np.uint64(31))


def uniform(lot: pl.Series) -> np.ndarray:
    """Return lots as numbers strictly between 0 and 1 (float64)."""
    return ((lot.to_numpy() >> np.uint64(11)).astype(np.float64) + 0.5) / float(1 << 53)
