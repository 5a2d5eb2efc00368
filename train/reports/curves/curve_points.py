"""The points of a curve as they are drawn: smoothed, and thinned without losing its extremes."""

from collections.abc import Iterable, Sequence

import numpy as np

Points = list[tuple[float, float | None]]

FEWEST = 20  # points: of fewer, a mean says less than they do
SHARE = 25  # a mean is over a 25th of the points


def smoothed(points: Sequence[tuple[float, float | None]]) -> Points:
    """Return the running mean of a curve; no points where there are few.

    The window is centred, and smaller at both ends. Values that are no numbers are left out of it.
    """
    ys = np.array([np.nan if y is None else y for _, y in points], dtype=np.float64)
    if np.isfinite(ys).sum() < FEWEST:
        return []
    reach = max(1, round(len(ys) / SHARE / 2))
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(ys))])
    counts = np.concatenate([[0], np.cumsum(np.isfinite(ys))])
    places = np.arange(len(ys))
    first, end = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(ys))
    held = counts[end] - counts[first]
    means = (sums[end] - sums[first]) / np.maximum(held, 1)
    return [(x, float(mean) if n else None) for (x, _), mean, n in zip(points, means, held, strict=True)]


def thinned(points: Iterable[tuple[float, float | None]], width: float) -> Points:
    """Return points (in pixels, by x) of which each ``width`` pixels have at most five.

    These are the first, the lowest, the highest and the last one there, and a gap (None) where there is one.
    """
    kept: Points = []
    bucket: list[tuple[float, float]] = []
    place, gap = None, False
    for x, y in points:
        if place is not None and int(x // width) != place:
            kept += _ends(bucket) + ([(x, None)] if gap else [])
            bucket, gap = [], False
        place = int(x // width)
        if y is None:
            gap = True
        else:
            bucket.append((x, y))
    return kept + _ends(bucket)


def _ends(bucket: list[tuple[float, float]]) -> Points:
    if len(bucket) <= 4:
        return [*bucket]
    by_value = sorted(range(len(bucket)), key=lambda i: bucket[i][1])
    extremes = {0, by_value[0], by_value[-1], len(bucket) - 1}
    return [bucket[i] for i in sorted(extremes)]
