"""The graphs that compiled loops work on: which candidate covers which rows, and the nearest candidates of rows."""

from typing import NamedTuple

import numpy as np


class CoverGraph(NamedTuple):
    """A sparse graph by candidate: candidate ``c`` has the edges from ``starts[c]`` to ``starts[c + 1]``.

    Attributes:
        starts: The first edge of each candidate, and the number of edges (int64).
        rows: The row that each edge covers (int32).
        cosines: How well it covers that row (float32).
    """

    starts: np.ndarray
    rows: np.ndarray
    cosines: np.ndarray


class NeighbourHeaps(NamedTuple):
    """The arguments of the compiled loop: the rows and candidates, and a heap of neighbours for each row.

    Attributes:
        vectors: Unit vectors (float32, read-only).
        rows: The row numbers of the rows.
        candidates: The row numbers of the candidates.
        exact: Whether bounds are the cosines themselves.
        ids: The neighbours found so far (int32, rows x neighbours): places among the candidates, the farthest first.
        cosines: Their cosines (float32).
    """

    vectors: np.ndarray
    rows: np.ndarray
    candidates: np.ndarray
    exact: bool
    ids: np.ndarray
    cosines: np.ndarray
