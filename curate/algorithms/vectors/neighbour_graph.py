"""The nearest neighbours of rows among candidates, exactly: blocked products of short vectors, then true cosines."""

import numpy as np

from curate.algorithms.parallel import in_blocks

BLOCK = 1 << 11  # rows and candidates in one product: 16 MB of bounds a thread
STRIP = 1 << 23  # bounds in one product where rows are candidates: 32 MB


def neighbours(
    vectors: np.ndarray, short: np.ndarray, rows: np.ndarray, candidates: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``most`` nearest candidates of each row: their places among the candidates, and the cosines to them.

    ``vectors`` (float32, read-only) are unit vectors, ``short`` what ``short_vectors.shorten`` made of them;
    ``rows`` and ``candidates`` are row numbers. Both results have a row for each of ``rows``, the farthest neighbour
    first and the others in no order. Only cosines above 0 count: where there are fewer, places are -1 and cosines 0.
    """
    from curate.algorithms.vectors.cosine_loops import push_neighbours

    ids, values = np.full((len(rows), most), -1, np.int32), np.zeros((len(rows), most), np.float32)
    if np.array_equal(rows, candidates):
        _among(vectors, short, rows, ids, values)
        return ids, values

    def work(low: int, high: int) -> None:
        left = short[rows[low:high]]
        for first in range(0, len(candidates), BLOCK):
            bounds = left @ short[candidates[first : first + BLOCK]].T
            push_neighbours(bounds, short is vectors, low, vectors, rows, candidates, first, ids, values)

    in_blocks(len(rows), BLOCK, work)
    return ids, values


def _among(vectors: np.ndarray, short: np.ndarray, rows: np.ndarray, ids: np.ndarray, values: np.ndarray) -> None:
    """The same where rows and candidates are the same: the product of two rows is made once, and serves both."""
    from curate.algorithms.vectors.cosine_loops import push_neighbours

    whole, ordered = short is vectors, short[rows]
    height = min(max(STRIP // len(rows), 32), BLOCK // 2)
    for low in range(0, len(rows), height):
        high = min(low + height, len(rows))
        bounds = ordered[low:high] @ ordered[low:].T

        def across(start: int, stop: int, bounds: np.ndarray = bounds, low: int = low) -> None:
            push_neighbours(bounds[start:stop], whole, low + start, vectors, rows, rows, low, ids, values)

        def down(start: int, stop: int, bounds: np.ndarray = bounds, low: int = low, high: int = high) -> None:
            turned = np.ascontiguousarray(bounds[:, high - low + start : high - low + stop].T)
            push_neighbours(turned, whole, high + start, vectors, rows, rows, low, ids, values)

        in_blocks(high - low, -(-(high - low) // 8), across)
        in_blocks(len(rows) - high, BLOCK, down)
