"""Curves of points as a chart can show them: their mean over seeds, smoothed, with fewer points."""

Curve = list[tuple[float, float]]
MOST_POINTS = 150  # of a curve


def mean_curve(curves: list[Curve]) -> Curve:
    """Return the mean of curves at each step that at least half of them have."""
    values: dict[float, list[float]] = {}
    for curve in curves:
        for step, value in dict(curve).items():
            values.setdefault(step, []).append(value)
    return [(step, sum(held) / len(held)) for step, held in sorted(values.items()) if 2 * len(held) >= len(curves)]


def window(points: int) -> int:
    """Return over how many steps a curve of so many points is smoothed: an odd number, 1 for none."""
    return max(1, points // 12) // 2 * 2 + 1 if points >= 24 else 1


def smoothed(curve: Curve) -> Curve:
    """Return a curve with each value as the mean of those about it, of fewer at the ends."""
    half = window(len(curve)) // 2
    out = []
    for place, (step, _) in enumerate(curve):
        reach = min(half, place, len(curve) - 1 - place)
        near = [value for _, value in curve[place - reach : place + reach + 1]]
        out.append((step, sum(near) / len(near)))
    return out


def thinned(curve: Curve) -> Curve:
    """Return every n-th point of a curve and its last, at most ``MOST_POINTS`` and one."""
    every = max(1, -(-len(curve) // MOST_POINTS))
    return [point for place, point in enumerate(curve) if place % every == 0 or place == len(curve) - 1]
