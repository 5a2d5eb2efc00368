"""How many rows each source of a mix gives, and how many times each of its rows is drawn.

Sources with ``rows`` give that many. Sources with a ``weight`` give rows in proportion to their weights: as many as
there can be without drawing a row twice, or, where one of them has ``rows`` too, as many as go with that number.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.algorithms.random_order import id_draws


@dataclass(frozen=True)
class Share:
    """The share of a source that has ``available`` rows; with neither ``rows`` nor ``weight`` it gives all of them."""

    available: int
    rows: int | None = None
    weight: float | None = None


def rows_to_draw(shares: Sequence[Share]) -> list[int]:
    """Return how many rows each source gives; more than it has means that rows are drawn several times.

    A source that has rows gives at least one; a source without rows gives none, and does not limit the others.

    Args:
        shares: The sources. Of those with a weight, at most one has ``rows``.
    """
    sizes = [s.rows / s.weight for s in shares if s.weight is not None and s.rows is not None]
    most = min((s.available / s.weight for s in shares if s.weight is not None and s.available), default=0.0)
    return [_rows(share, sizes[0] if sizes else None, most) for share in shares]


def _rows(share: Share, size: float | None, most: float) -> int:
    """Return the rows of one source; for a weight of 1 they are ``size``, or ``most`` where no size is set."""
    if not share.available:
        return 0
    if share.rows is not None:
        return share.rows
    if share.weight is None:
        return share.available
    if size is not None:
        return max(1, round(share.weight * size))
    return min(share.available, max(1, round(share.weight * most)))


def times_drawn(ids: pl.Series, rows: int, seed: int) -> np.ndarray:
    """Return how many times each id is drawn, so that ``rows`` are drawn in all, each as often as any but for one.

    Ids are drawn in the order of a hash of the seed and the id. So a draw of more rows contains a draw of fewer, and
    ids that are added or removed change no more than their number of the others.
    """
    if not len(ids):
        return np.zeros(0, np.int64)
    every, more = divmod(rows, len(ids))
    times = np.full(len(ids), every, np.int64)
    times[np.argsort(id_draws(ids, seed, "mix").to_numpy(), kind="stable")[:more]] += 1
    return times
