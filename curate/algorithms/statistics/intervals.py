"""95% intervals of mean differences: over clusters of prompts, over seeds, and over both.

All are Student's t, with degrees of freedom from the clusters or seeds, not from the answers. Where differences have
a range, as those of scores from 0 to 1, t claims too much near its ends and where few prompts differ: each end is then
the farther one of t's and of Wilson's (1927). An interval of no width is never given.
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.statistics.cluster_variance import cluster_variance
from curate.algorithms.statistics.figures import wilson
from curate.algorithms.statistics.student import t_quantile, two_sided_p

Span = tuple[float, float]  # the least and the greatest value that a difference can have
LARGEST = 1e100  # of a difference whose squares are added up
NO_SPREAD = 1e-24  # a variance below this share of the largest square is none


class Interval(NamedTuple):
    """A mean difference, its 95% interval and its test against 0; null where there is none, and ``why``.

    Attributes:
        value: The mean difference.
        low: The interval's lower end.
        high: Its upper end.
        freedom: The degrees of freedom of its standard error.
        p: The two-sided p-value of no difference, in 0..1. It is below 0.05 where the interval is clear of 0.
        error: The standard error.
        why: Why there is no difference, or no interval.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    freedom: float | None = None
    p: float | None = None
    error: float | None = None
    why: str = ""


def clustered_interval(values: np.ndarray, cluster: np.ndarray, span: Span | None = None) -> Interval:
    """Return the mean of one difference a prompt, with the interval of new prompts, of other clusters.

    Clusters are families of prompts, whose answers are no independent ones (Miller 2024, arXiv 2411.00640). Their sums
    give the variance, with the correction CR2 and the degrees of freedom of Bell and McCaffrey (2002): the clusters
    less one where all are of one size, and fewer where one cluster has most of the prompts.

    Args:
        values: The difference of each prompt [N]; nan for a prompt without one, which is left out.
        cluster: The cluster of each prompt [N], as any values that ``numpy.unique`` sorts.
        span: The range of a difference, such as (-1, 1) for scores from 0 to 1; None where it has none. With a range
            there is an interval also where all differences are equal: that of the share of clusters that may differ.

    Returns:
        The interval; none where a difference is infinite, or too large to be squared.
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    values, cluster = values[known], np.asarray(cluster)[known]
    if not len(values):
        return Interval(None, why="no prompt has a score of both")
    if too_large := _too_large(values):
        return Interval(None, why=too_large)
    value = float(np.mean(values))
    variance, freedom, clusters = cluster_variance((values - value) / len(values), cluster)
    if clusters < 2:
        what = "one prompt gives no interval" if len(values) == 1 else "the prompts are of one family"
        return Interval(value, why=what)
    if variance > NO_SPREAD * float(np.max(np.abs(values))) ** 2:
        return _t_interval(value, variance, freedom, _Range.of(values, span))
    if span is None:
        return Interval(value, freedom=freedom, error=0.0, why="all differences are equal")
    return _of_equal(value, clusters, freedom, span)


def seed_interval(differences: np.ndarray) -> Interval:
    """Return the mean of one difference a seed, with the interval of new seeds: t with one degree less than seeds.

    It is for the prompts at hand, and says nothing of others.

    Args:
        differences: The mean difference of each seed [S]; nan for a seed without one, which is left out.
    """
    values = np.asarray(differences, float)
    values = values[~np.isnan(values)]
    if not len(values):
        return Interval(None, why="no seed has a score of both")
    if too_large := _too_large(values):
        return Interval(None, why=too_large)
    value, freedom = float(np.mean(values)), float(len(values) - 1)
    if len(values) == 1:
        return Interval(value, why="one seed gives no interval")
    variance = float(np.var(values, ddof=1)) / len(values)
    if variance <= NO_SPREAD * float(np.max(np.abs(values))) ** 2:
        return Interval(value, freedom=freedom, error=0.0, why=f"all {len(values)} seeds have the same difference")
    return _t_interval(value, variance, freedom)


def two_way_interval(cells: np.ndarray, cluster: np.ndarray, span: Span | None = None) -> Interval:
    """Return the mean difference over seeds and prompts, with the interval of new seeds and new prompts.

    The half-widths of t over the seeds' means and of t over the prompts' means (by clusters) are added as squares
    (Howe 1974). What is left of each cell counts in both, so that the interval is rather too wide than too narrow. The
    degrees of freedom are the fewer ones, and the error is the one that they give this width.

    Args:
        cells: The difference of each seed and prompt [S, N]; nan where there is none.
        cluster: The cluster of each prompt [N].
        span: As in ``clustered_interval``.
    """
    cells = np.asarray(cells, float)
    cells = cells[~np.isnan(cells).all(axis=1)] if cells.size else cells.reshape(0, len(cluster))
    if not len(cells):
        return Interval(None, why="no seed has a score of both")
    known = ~np.isnan(cells)
    means = np.nanmean(cells, axis=1)
    over_seeds = seed_interval(means)
    if len(cells) == 1 or over_seeds.value is None:
        return over_seeds
    influence = np.where(known, cells - means[:, None], 0.0) / known.sum(axis=1)[:, None] / len(cells)
    asked = known.any(axis=0)
    variance, freedom, clusters = cluster_variance(influence.sum(axis=0)[asked], np.asarray(cluster)[asked])
    if clusters < 2:
        return Interval(over_seeds.value, why="the prompts are of one family")
    of_seeds = len(cells) - 1.0
    half = t_quantile(of_seeds) ** 2 * (over_seeds.error or 0.0) ** 2 + t_quantile(round(freedom, 2)) ** 2 * variance
    value, freedom = over_seeds.value, min(freedom, of_seeds)
    variance = half / t_quantile(round(freedom, 2)) ** 2
    if variance > NO_SPREAD * float(np.nanmax(np.abs(cells))) ** 2:
        return _t_interval(value, variance, freedom, _Range.of(cells[known], span))
    if span is None:
        return Interval(value, freedom=freedom, error=0.0, why="all differences are equal")
    return _of_equal(value, clusters, freedom, span)


def _too_large(values: np.ndarray) -> str:
    """Return why differences have no mean whose spread can be computed; empty where they have one."""
    if not np.all(np.isfinite(values)):
        return "a score is infinite"
    return "" if np.all(np.abs(values) < LARGEST) else "a score is too large for an interval"


class _Range(NamedTuple):
    """The range of differences, and the part of it on one side of 0 where all of them are, if they are."""

    low: float
    high: float
    side: Span | None

    @classmethod
    def of(cls, values: np.ndarray, span: Span | None) -> "_Range | None":
        """Return the range of these differences; None where they have none."""
        if span is None:
            return None
        low, high = span
        side = (0.0, high) if values.min() >= 0 else (low, 0.0) if values.max() <= 0 else None
        return cls(low, high, side if low < 0 < high else None)


def _t_interval(value: float, variance: float, freedom: float, within: _Range | None = None) -> Interval:
    """Return the t interval of an estimate; where there is a range, with Wilson's ends where these are farther."""
    error, quantile = float(np.sqrt(variance)), t_quantile(round(freedom, 2))
    low, high, p = value - quantile * error, value + quantile * error, two_sided_p(value / error, freedom)
    if within is None:
        return Interval(value, low, high, freedom, p, error)
    ends = [_wilson(value, variance, quantile, span) for span in ((within.low, within.high), within.side) if span]
    low, high = min(low, *(end[0] for end in ends)), max(high, *(end[1] for end in ends))
    if within.low < 0 < within.high:
        # The t for which Wilson's end is 0, so that p is below 0.05 where the interval is clear of it.
        room = (value - within.low) * (within.high - value)
        at_none = np.sqrt(max(room, 0.0) / (-within.low * within.high))
        p = max(p, two_sided_p(value / error * at_none, freedom))
    return Interval(value, max(low, within.low), min(high, within.high), freedom, p, error)


def _wilson(value: float, variance: float, quantile: float, span: Span) -> Span:
    """Return the ends of Wilson's interval of a mean in a range, worth as many answers as its variance says."""
    low, width = span[0], span[1] - span[0]
    share = (value - low) / width
    effective = share * (1 - share) * width**2 / variance
    if effective <= 0:  # at an end of the range, or outside it by a rounding error
        return value, value
    least, most = wilson(share, effective, quantile)
    return low + width * least, low + width * most


def _of_equal(value: float, clusters: int, freedom: float, span: Span) -> Interval:
    """Return the interval where all clusters have one difference: others may have any, as often as was not seen.

    A share above 1 - 0.025^(1 / clusters) would have been seen in 97.5 of 100 samples (Clopper and Pearson 1934).
    """
    low, high = span
    unseen = 1 - 0.025 ** (1 / clusters)
    to_none = 0.0 if not value else value / (value - (low if value > 0 else high))
    p = min(1.0, 2 * (1 - to_none) ** clusters)
    return Interval(value, value - unseen * (value - low), value + unseen * (high - value), freedom, p, 0.0)
