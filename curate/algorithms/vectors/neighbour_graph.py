"""The exact nearest neighbours of rows among candidates: products of short vectors first, then true cosines."""

import numpy as np

from curate.algorithms.how_far import how_far
from curate.algorithms.parallel import in_blocks, one_thread_each
from curate.algorithms.vectors.graphs import NeighbourHeaps

BLOCK = 1 << 11  # rows and candidates in one product: 16 MB of bounds a thread
STRIP = 1 << 23  # bounds in one product where rows are candidates: 32 MB


def neighbour_graph(
    vectors: np.ndarray, short: np.ndarray, rows: np.ndarray, candidates: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the ``most`` nearest candidates of each row.

    Args:
        vectors: Unit vectors (float32, read-only).
        short: Their short forms (``cosine_bounds.shorten``).
        rows: The row numbers to find neighbours for.
        candidates: The row numbers to choose from.
        most: How many neighbours to find for each row.

    Returns:
        The neighbours' places among the candidates (int32), and the cosines to them (float32), each with a row for each
        of ``rows``: the farthest neighbour first, the others in no order. Only cosines above 0 count; where there are
        fewer, places are -1 and cosines 0.
    """
    from curate.algorithms.vectors.nearest_loops import push_neighbours

    ids, cosines = np.full((len(rows), most), -1, np.int32), np.zeros((len(rows), most), np.float32)
    heaps = NeighbourHeaps(vectors, rows, candidates, short is vectors, ids, cosines)
    if np.array_equal(rows, candidates):
        with one_thread_each():
            _among_themselves(heaps, short[rows])
        return ids, cosines

    def work(low: int, high: int) -> None:
        left = short[rows[low:high]]
        for first in range(0, len(candidates), BLOCK):
            push_neighbours(left @ short[candidates[first : first + BLOCK]].T, low, first, heaps)

    with one_thread_each():
        in_blocks(len(rows), BLOCK, work)
    return ids, cosines


def _among_themselves(heaps: NeighbourHeaps, short: np.ndarray) -> None:
    """Find neighbours where rows and candidates are the same: the product of two rows is computed once, for both."""
    from curate.algorithms.vectors.nearest_loops import push_neighbours

    count = len(short)
    height = min(max(STRIP // count, 32), BLOCK // 2)
    how_far(0, count)
    for low in range(0, count, height):
        high = min(low + height, count)
        bounds = np.empty((high - low, count - low), np.float32)

        def product(start: int, stop: int, bounds: np.ndarray = bounds, low: int = low, high: int = high) -> None:
            np.matmul(short[low:high], short[low + start : low + stop].T, out=bounds[:, start:stop])

        def across(start: int, stop: int, bounds: np.ndarray = bounds, low: int = low) -> None:
            push_neighbours(bounds[start:stop], low + start, low, heaps)

        def down(start: int, stop: int, bounds: np.ndarray = bounds, low: int = low, high: int = high) -> None:
            transposed = np.ascontiguousarray(bounds[:, high - low + start : high - low + stop].T)
            push_neighbours(transposed, high + start, low, heaps)

        in_blocks(count - low, BLOCK, product)
        in_blocks(high - low, -(-(high - low) // 8), across)
        in_blocks(count - high, BLOCK, down)
        how_far(int(count - (count - high) ** 2 / count), count)  # a row has fewer to be compared with than one before
