"""The arguments of the compiled loops that find near pairs, as named tuples.

The rows to compare stand in an order of priority. A row's position in that order is its place; the loops work with
places, and ``Places.rows`` gives the row of a place.
"""

from typing import NamedTuple

import numpy as np

UNKNOWN, KEPT, DROPPED = 0, 1, 2  # the states of a place, where places are decided in rounds


class Places(NamedTuple):
    """The rows to compare, in order of priority.

    Attributes:
        vectors: Unit vectors of all rows (float32, read-only).
        rows: The row number of each place (int64).
        known: How many places, from the first on, are always kept; they are not compared with each other.
        threshold: The cosine from which two rows are near.
    """

    vectors: np.ndarray
    rows: np.ndarray
    known: int
    threshold: float


class Decisions(NamedTuple):
    """The decision about each place; the loops fill it in.

    Attributes:
        kept: Whether the place is kept (Boolean).
        nearest: The nearest kept place before it within the threshold (int64; -1 if there is none).
        cosine: The true cosine to that place (float64).
    """

    kept: np.ndarray
    nearest: np.ndarray
    cosine: np.ndarray


class Pairs(NamedTuple):
    """Room for pairs of near places and their true cosines; the loops append to it."""

    left: np.ndarray
    right: np.ndarray
    cosine: np.ndarray


class SignBits(NamedTuple):
    """The sign bits of every place, and how they are compared.

    Attributes:
        words: The bits of each place (uint64, places x words). Band ``b`` is the ``size`` bits from ``b * size`` on.
        size: Bits in a band.
        cutoff: Two places are compared only if at most so many of their first bits differ.
    """

    words: np.ndarray
    size: int
    cutoff: int


class Buckets(NamedTuple):
    """The kept places by bucket, as linked lists; a place is stored as its number plus one, so that 0 ends a list.

    Attributes:
        heads: The newest place in each bucket (int32, bands x buckets of a band).
        after: For each place, the one before it in its bucket of each band (int32, places x bands).
    """

    heads: np.ndarray
    after: np.ndarray
