"""Whether two ratings give the same order: the AUROC, Spearman's rho, Kendall's tau-b, and rho within groups."""

import numpy as np

from curate.algorithms.statistics.figures import Figure, figure, no_figure

MOST_LEVELS = 200  # different values of one of the ratings, above which no tau is computed
CONSTANT = "one of the two is the same for all answers"


def auroc(score: np.ndarray, good: np.ndarray, cluster: np.ndarray) -> Figure:
    """Return the chance that a good answer has a higher score than a bad one; a tie counts half.

    It is the area under the ROC curve (Hanley and McNeil 1982); the influence values are DeLong's placements.

    Args:
        score: The scores.
        good: Which answers are good.
        cluster: The cluster of each answer.
    """
    count, positive = len(score), int(good.sum())
    if not 0 < positive < count:
        return no_figure(count, "all answers have the same verdict")
    placement = np.empty(count)
    placement[good] = _share_below(score[good], np.sort(score[~good]))
    placement[~good] = 1 - _share_below(score[~good], np.sort(score[good]))
    value = float(np.mean(placement[good]))
    influence = (placement - value) * np.where(good, count / positive, count / (count - positive))
    fewest = min(len(np.unique(cluster[side])) for side in (good, ~good))
    return figure(value, influence, cluster, independent=fewest)


def spearman(left: np.ndarray, right: np.ndarray, cluster: np.ndarray) -> Figure:
    """Return Spearman's rank correlation (1904), with mean ranks for ties."""
    count = len(left)
    if count < 3:
        return no_figure(count, "there are fewer than 3 answers")
    one, other = (_Ranks(values) for values in (left, right))
    if one.variance < 1e-12 or other.variance < 1e-12:
        return no_figure(count, CONSTANT)
    product = one.centred * other.centred
    covariance = float(np.mean(product))
    scale = np.sqrt(one.variance * other.variance)
    value = covariance / scale
    # A covariance of ranks moves with each answer's own product, and with the ranks that it gives to the others.
    moved = product - covariance + one.moved(other.centred) + other.moved(one.centred)
    influence = moved / scale - value / 2 * (one.spread / one.variance + other.spread / other.variance)
    return figure(value, influence, cluster, (-1.0, 1.0))


def spearman_within(left: np.ndarray, right: np.ndarray, group: np.ndarray) -> Figure:
    """Return the correlation of ranks within groups: of the ranks less their group's mean. Groups are the clusters.

    Only groups of at least two answers count.
    """
    sizes = np.bincount(group)
    several = sizes[group] > 1
    left, right, group = left[several], right[several], group[several]
    count = len(left)
    if count < 3:
        return no_figure(count, "no prompt has several answers")
    one, other = (_less_mean(_Ranks(values).centred, group) for values in (left, right))
    spread = float(np.mean(one**2)), float(np.mean(other**2))
    if min(spread) < 1e-12:
        return no_figure(count, CONSTANT)
    scale = np.sqrt(spread[0] * spread[1])
    value = float(np.mean(one * other)) / scale
    influence = one * other / scale - value / 2 * (one**2 / spread[0] + other**2 / spread[1])
    return figure(value, influence, group, (-1.0, 1.0))


def kendall(left: np.ndarray, right: np.ndarray, cluster: np.ndarray) -> Figure:
    """Return Kendall's tau-b (1945): pairs in the same order less pairs in the other, allowing for ties."""
    count = len(left)
    if count < 3:
        return no_figure(count, "there are fewer than 3 answers")
    if len(np.unique(left)) < len(np.unique(right)):
        left, right = right, left
    levels = np.unique(right)
    if len(levels) > MOST_LEVELS:
        return no_figure(count, f"both have more than {MOST_LEVELS} different values")
    untied = [1 - _share_tied(values) for values in (left, right)]
    if min(float(np.mean(one)) for one in untied) < 1e-12:
        return no_figure(count, CONSTANT)
    signs = np.zeros(count)  # for each answer: of the others, the share in the same order less that in the other
    for level in levels:
        of_level = np.sort(left[right == level])
        order = 2 * _share_below(left, of_level) - 1
        signs += np.sign(right - level) * order * len(of_level) / (count - 1)
    parts = [signs, *untied]
    number, one, other = (float(np.mean(part)) for part in parts)
    scale = np.sqrt(one * other)
    value = number / scale
    moved = [2 * (part - mean) for part, mean in zip(parts, (number, one, other), strict=True)]
    influence = moved[0] / scale - value / 2 * (moved[1] / one + moved[2] / other)
    return figure(value, influence, cluster, (-1.0, 1.0))


def percentiles(values: np.ndarray) -> np.ndarray:
    """Return the share of all values that are below each, ties counted half."""
    return _share_below(values, np.sort(values))


class _Ranks:
    """The ranks of values as shares, less their mean; their variance; and each answer's influence on that.

    The variance of mean ranks is (1 - the sum of the cubes of the shares of equal values) / 12.
    """

    def __init__(self, values: np.ndarray) -> None:
        self.levels, self.code, counts = np.unique(values, return_inverse=True, return_counts=True)
        self.shares = counts / len(values)
        self.centred = (np.cumsum(self.shares) - self.shares / 2)[self.code] - 0.5
        cubes = float(np.sum(self.shares**3))
        self.variance = (1 - cubes) / 12
        self.spread = -(self.shares[self.code] ** 2 - cubes) / 4

    def moved(self, weights: np.ndarray) -> np.ndarray:
        """Return how each answer moves the mean of ``weights`` times the ranks, by moving the ranks of the others."""
        sums = np.bincount(self.code, weights, len(self.levels)) / len(weights)
        above = (sums[::-1].cumsum()[::-1] - sums / 2)[self.code]
        return above - float(np.mean(weights * self.centred))


def _share_below(values: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Return the share of the sorted values ``held`` that are below each value, ties counted half."""
    return (np.searchsorted(held, values, "left") + np.searchsorted(held, values, "right")) / (2 * len(held))


def _share_tied(values: np.ndarray) -> np.ndarray:
    """Return for each value the share of the others that equal it."""
    _, code, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (counts[code] - 1) / (len(values) - 1)


def _less_mean(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    return values - (np.bincount(group, values) / np.maximum(np.bincount(group), 1))[group]
