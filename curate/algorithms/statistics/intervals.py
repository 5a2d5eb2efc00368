"""95% intervals of mean differences: over clusters of prompts, over seeds, and over both.

All are Student's t, with degrees of freedom from the clusters or seeds, not from the answers. Where scores have a
range, such as 0 to 1, an interval over prompts has Wilson's form (1927): it is the t interval in the middle of the
range, and stays inside at its ends, where t covers too little. An interval of no width is never given.
"""

from typing import NamedTuple

import numpy as np

from curate.algorithms.statistics.figures import wilson
from curate.algorithms.statistics.student import t_quantile, two_sided_p

Span = tuple[float, float]  # the least and the greatest value that a difference can have
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

    Clusters are families of prompts, whose answers are no independent ones (Miller 2024, arXiv 2411.00640). Their
    sums give the variance, each with the correction CR2 of Bell and McCaffrey (2002). The degrees of freedom are
    theirs too, as if the prompts of a cluster had one answer: the clusters less one where all are of one size, and
    fewer where one cluster has most of the prompts.

    Args:
        values: The difference of each prompt [N]; nan for a prompt without one, which is left out.
        cluster: The cluster of each prompt [N], as any values that ``numpy.unique`` sorts.
        span: The range of a difference, such as (-1, 1) for scores from 0 to 1; None where it has none. With a range
            there is an interval also where all differences are equal: that of the share of clusters that may differ.
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    values, cluster = values[known], np.asarray(cluster)[known]
    if not len(values):
        return Interval(None, why="no prompt has a score of both")
    value = float(np.mean(values))
    variance, freedom, clusters = cluster_variance((values - value) / len(values), cluster)
    if clusters < 2:
        what = "one prompt gives no interval" if len(values) == 1 else "the prompts are of one family"
        return Interval(value, why=what)
    if variance > NO_SPREAD * float(np.max(np.abs(values))) ** 2:
        return _t_interval(value, variance, freedom, span)
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
    value, freedom = float(np.mean(values)), float(len(values) - 1)
    if len(values) == 1:
        return Interval(value, why="one seed gives no interval")
    variance = float(np.var(values, ddof=1)) / len(values)
    if variance <= NO_SPREAD * float(np.max(np.abs(values))) ** 2:
        return Interval(value, freedom=freedom, error=0.0, why=f"all {len(values)} seeds have the same difference")
    return _t_interval(value, variance, freedom)


def two_way_interval(cells: np.ndarray, cluster: np.ndarray, span: Span | None = None) -> Interval:
    """Return the mean difference over seeds and prompts, with the interval of new seeds and new prompts.

    The variances of the seeds' means and of the prompts' means (by clusters) are added, which counts the rest of each
    cell twice, and t has the fewer of their two degrees of freedom: both make the interval wider, never narrower.

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
    value, freedom = over_seeds.value, min(freedom, len(cells) - 1.0)
    if clusters < 2:
        return Interval(value, why="the prompts are of one family")
    variance += (over_seeds.error or 0.0) ** 2
    if variance > NO_SPREAD * float(np.nanmax(np.abs(cells))) ** 2:
        return _t_interval(value, variance, freedom, span)
    if span is None:
        return Interval(value, freedom=freedom, error=0.0, why="all differences are equal")
    return _of_equal(value, clusters, freedom, span)


def cluster_variance(influence: np.ndarray, cluster: np.ndarray) -> tuple[float, float, int]:
    """Return the variance of a sum of influence values by clusters, its degrees of freedom, and the clusters.

    Args:
        influence: How far each prompt moves the figure [N]; they add up to 0.
        cluster: The cluster of each prompt [N].
    """
    _, code, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    clusters = len(sizes)
    if clusters < 2:
        return 0.0, 0.0, clusters
    share = sizes / sizes.sum()
    variance = float(np.sum(np.bincount(code, influence) ** 2 / (1 - share)))
    # Of B, the matrix of the estimated variance as a quadratic form, where a cluster's prompts have one answer:
    # (trace of B)^2 / (trace of B^2), without the matrix itself.
    squares, weight = float(np.sum(share**2)), share**2 / (1 - share)
    trace = float(np.sum(weight * (1 - 2 * share + squares)))
    none, one, two = (float(np.sum(weight * share**power)) for power in range(3))
    every = squares**2 * none**2 + 2 * two * none - 4 * squares * one * none + 2 * one**2
    own = np.sum(weight**2 * ((1 - 2 * share + squares) ** 2 - (squares - 2 * share) ** 2))
    return variance, max(1.0, trace**2 / (every + float(own))), clusters


def _t_interval(value: float, variance: float, freedom: float, span: Span | None = None) -> Interval:
    """Return the t interval of an estimate; in Wilson's form where there is a range."""
    error, quantile = float(np.sqrt(variance)), t_quantile(round(freedom, 2))
    if span is None:
        half, p = quantile * error, two_sided_p(value / error, freedom)
        return Interval(value, value - half, value + half, freedom, p, error)
    low, high = span
    share, none = (value - low) / (high - low), -low / (high - low)
    room = share * (1 - share)
    if room <= 0 or variance >= room * (high - low) ** 2:  # outside the range, or one end against the other
        room = 0.25
    effective = room * (high - low) ** 2 / variance
    least, most = wilson(share, effective, quantile)
    p = two_sided_p((share - none) / np.sqrt(none * (1 - none) / effective), freedom) if 0 < none < 1 else None
    return Interval(value, low + (high - low) * least, low + (high - low) * most, freedom, p, error)


def _of_equal(value: float, clusters: int, freedom: float, span: Span) -> Interval:
    """Return the interval where all clusters have one difference: others may have any, as often as was not seen.

    A share above 1 - 0.025^(1 / clusters) would have been seen in 97.5 of 100 samples (Clopper and Pearson 1934).
    """
    low, high = span
    unseen = 1 - 0.025 ** (1 / clusters)
    to_none = 0.0 if not value else value / (value - (low if value > 0 else high))
    p = min(1.0, 2 * (1 - to_none) ** clusters)
    return Interval(value, value - unseen * (value - low), value + unseen * (high - value), freedom, p, 0.0)
