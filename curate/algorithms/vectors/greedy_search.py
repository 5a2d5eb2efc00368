"""Greedy choice of rows whose gains only fall as rows are picked: the search that ``mmr`` and ``dpp`` share.

Because gains only fall, an old gain bounds the new one. Picks are therefore looked for in a front, the rows of greatest
gain at the last full update, as long as its best row gains at least as much as any row outside can. Only then are all
rows updated, with all new picks together, in a few matrix products instead of one pass over the table a pick.
"""

from typing import Protocol

import numpy as np

from curate.algorithms.how_far import how_far

FRONT = 512  # rows in the front at least, and picks between two full updates at most
SHARE = 64  # at least one in so many of all rows is in the front


class FrontGains(Protocol):
    """The gains of the rows in the front."""

    def add(self, pick: int) -> np.ndarray:
        """Add a pick (a position in the front); return the gain of each row in the front, picked or not."""


class Gains(Protocol):
    """The gains of all rows: how much each would add to the picks so far."""

    most_picks: int  # picks between two full updates, at most

    def add(self, picks: np.ndarray) -> np.ndarray:
        """Add picks (row numbers, perhaps none); return the gain of each row, picked or not."""

    def front(self, rows: np.ndarray, most: int) -> FrontGains:
        """Return the gains of the given rows alone, to which at most ``most`` picks will be added."""


def greedy_search(gains: Gains, rows: int, start: list[int], count: int) -> np.ndarray:
    """Pick rows of greatest gain, one after another, and return which rows are picked (Boolean).

    Args:
        gains: The gains; all picks are added to them.
        rows: How many rows there are.
        start: The first picks; may be empty.
        count: How many rows to pick in all, at most ``rows``.
    """
    picks, added, picked = list(start), 0, np.zeros(rows, bool)
    how_far(0, count)
    while True:
        picked[picks[added:]] = True
        gain = gains.add(np.array(picks[added:], np.int64))
        added = len(picks)
        how_far(added, count)
        if added >= count:
            return picked
        most = min(count - added, gains.most_picks)
        picks += _pick_from_front(gains, np.where(picked, -np.inf, gain), most)


def _pick_from_front(gains: Gains, gain: np.ndarray, most: int) -> list[int]:
    """Pick from the rows of greatest gain until there may be better ones outside, or ``most`` are picked."""
    size = min(len(gain), max(FRONT, len(gain) // SHARE))
    order = np.argpartition(-gain, size - 1)
    rows, outside = np.sort(order[:size]), gain[order[size:]].max(initial=-np.inf)
    front, gain, picks = gains.front(rows, most), gain[rows], []
    while len(picks) < most:
        best = int(gain.argmax())
        if gain[best] < outside or gain[best] == -np.inf:
            break
        picks.append(int(rows[best]))
        picked = gain == -np.inf
        gain = front.add(best)
        gain[picked] = gain[best] = -np.inf
    return picks


class NearestPicks:
    """Each row's nearest pick, and the cosine to it.

    Attributes:
        nearest: The row number of the nearest pick (int64); of equally near ones the earliest.
        cosine: The cosine to it (float32); -2 before the first pick.
    """

    def __init__(self, rows: int) -> None:
        self.nearest, self.cosine = np.zeros(rows, np.int64), np.full(rows, -2, np.float32)

    def update(self, part: slice, products: np.ndarray, picks: np.ndarray, scale: np.float32) -> None:
        """Update a block of rows from its products with new picks, which times ``scale`` are cosines."""
        best = products.argmax(axis=1)
        value = products[np.arange(len(best)), best] * scale
        nearer = value > self.cosine[part]
        self.nearest[part][nearer] = picks[best[nearer]]
        self.cosine[part][nearer] = value[nearer]
