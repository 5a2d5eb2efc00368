"""Ids of rows as numbers: a 64-bit hash of each, so that ten million ids take 80 MB and as text stay on disk.

A hash finds the row of an id in no order known before. Where two ids of one set of rows have the same hash, the texts
are compared (``RowSet.add``).
"""

from collections.abc import Iterable

import numpy as np
import polars as pl


def id_numbers(ids: pl.Series) -> np.ndarray:
    """Return a number of each id (uint64): equal ids have equal numbers in this process."""
    return ids.cast(pl.String).hash(seed=0).to_numpy()


class NumberIndex:
    """The places of ids, found by their numbers. Of equal ids it knows the first."""

    def __init__(self, numbers: np.ndarray) -> None:
        """Take the numbers of the ids (uint64), in the order of their places."""
        order = np.argsort(numbers, kind="stable").astype(np.uint32)
        known = numbers[order]
        first = np.ones(len(known), bool)
        first[1:] = known[1:] != known[:-1]
        self._known, self._place = (known, order) if first.all() else (known[first], order[first])

    def find(self, numbers: np.ndarray) -> np.ndarray:
        """Return the place of each id by its number (int64), -1 for one that is not known."""
        if not len(self._known) or not len(numbers):
            return np.full(len(numbers), -1, np.int64)
        new = np.ones(len(numbers), bool)  # the ids of a run are equal: candidates of a prompt stand together
        new[1:] = numbers[1:] != numbers[:-1]
        asked = numbers[new]
        at = np.minimum(np.searchsorted(self._known, asked), len(self._known) - 1)
        found = np.where(self._known[at] == asked, self._place[at].astype(np.int64), -1)
        return found[np.cumsum(new) - 1]


def repeated(parts: list[np.ndarray]) -> np.ndarray:
    """Return the numbers, of all parts together, that come more than once (sorted)."""
    numbers = np.concatenate(parts) if parts else np.zeros(0, np.uint64)
    numbers.sort()
    return np.unique(numbers[1:][numbers[1:] == numbers[:-1]])


def joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Return parts of numbers as one array (uint64)."""
    return np.concatenate([np.zeros(0, np.uint64), *parts])
