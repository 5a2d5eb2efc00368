"""A figure with its 95% interval: Wilson's score interval, with the variance of the figure's influence values.

The influence of an answer on a figure is how much the figure moves with the answer's weight (Hampel 1974; for the AUROC
these are the placements of DeLong, DeLong and Clarke-Pearson 1988). Answers of one cluster, such as a prompt's, are no
independent ones: their influences are summed before they are squared (Obuchowski 1997, for AUROCs). The variance gives
the number of independent answers that the sample is worth, with which Wilson's interval is taken, as for proportions
in cluster samples (Korn and Graubard 1998; Dean and Pagano 2015). Unlike the figure plus or minus two standard errors,
it stays in the figure's range and has a width where the figure is perfect.
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.statistics.cluster_variance import cluster_variance
from curate.algorithms.statistics.student import t_quantile

Z = 1.959963984540054  # the normal distribution's 97.5% quantile


class Figure(NamedTuple):
    """A figure and its 95% interval; null where there is none, and ``why``.

    Attributes:
        value: The figure.
        low: The interval's lower end.
        high: Its upper end.
        count: The answers, or the pairs of answers, that it is of.
        why: Why there is no figure, or no interval.
    """

    value: float | None
    low: float | None
    high: float | None
    count: int
    why: str = ""


def no_figure(count: int, why: str) -> Figure:
    """Return what stands for a figure that is not defined."""
    return Figure(None, None, None, count, why)


def figure(
    value: float,
    influence: np.ndarray,
    cluster: np.ndarray,
    span: tuple[float, float] = (0.0, 1.0),
    independent: int | None = None,
) -> Figure:
    """Return a figure with its interval.

    Args:
        value: The figure.
        influence: Each answer's influence on it; their mean is 0.
        cluster: Each answer's cluster.
        span: The least and the greatest value that the figure can have.
        independent: How many independent answers a figure without variance, such as a perfect one, is worth; the
            number of clusters by default.
    """
    count, (low, high) = len(influence), span
    variance, freedom, clusters = cluster_variance(influence / (count * (high - low)), cluster)
    if clusters < 2:
        return Figure(float(value), None, None, count, "one prompt gives no interval")
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    effective = share * (1 - share) / variance if variance > 1e-18 else 0.0
    if effective <= 0:
        effective = float(independent if independent is not None else clusters)
    least, most = wilson(share, effective, t_quantile(round(freedom, 2)))
    return Figure(float(value), float(low + (high - low) * least), float(low + (high - low) * most), count)


def wilson(share: float, count: float, z: float = Z) -> tuple[float, float]:
    """Return the ends of Wilson's score interval (1927) for a share of ``count`` independent answers."""
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))
