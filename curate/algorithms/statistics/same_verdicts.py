"""Whether two ratings give the same verdicts: the share that agrees, and Cohen's kappa, plain and weighted."""

import numpy as np

from curate.algorithms.statistics.figures import Figure, figure, no_figure


def mean(values: np.ndarray, cluster: np.ndarray) -> Figure:
    """Return the mean of values from 0 to 1, such as whether each of two verdicts is the same."""
    if not len(values):
        return no_figure(0, "there are no answers")
    value = float(np.mean(values))
    return figure(value, values - value, cluster)


def kappa(left: np.ndarray, right: np.ndarray, cluster: np.ndarray, *, quadratic: bool = False) -> Figure:
    """Return Cohen's kappa of two ratings (1960): the agreement beyond chance, as a share of what is possible.

    ``quadratic`` counts a disagreement by the square of its distance (Cohen 1968), for ratings with an order. The
    influence is that of the large-sample variance of Fleiss, Cohen and Everitt (1969).

    Args:
        left: The verdicts of one rater, as numbers.
        right: Those of the other, on the same scale.
        cluster: The cluster of each answer.
        quadratic: Whether verdicts that are near agree in part.
    """
    count = len(left)
    if not count:
        return no_figure(0, "there are no answers")
    levels, codes = np.unique(np.concatenate((left, right)), return_inverse=True)
    one, other = codes[:count], codes[count:]
    if len(levels) < 2:
        return no_figure(count, "both give one verdict to all answers")
    weights = np.eye(len(levels))
    if quadratic:
        weights = 1 - np.subtract.outer(levels, levels) ** 2 / (levels[-1] - levels[0]) ** 2
    shares = [np.bincount(side, minlength=len(levels)) / count for side in (one, other)]
    by_one, by_other = weights @ shares[1], weights @ shares[0]  # the mean weight of each verdict against chance
    chance = float(shares[0] @ by_one)
    same = weights[one, other]
    agreed = float(np.mean(same))
    if 1 - chance < 1e-12:
        return no_figure(count, "both give one verdict to all answers")
    value = (agreed - chance) / (1 - chance)
    moved = by_one[one] + by_other[other] - 2 * chance
    influence = (same - agreed) / (1 - chance) - (1 - agreed) / (1 - chance) ** 2 * moved
    return figure(value, influence, cluster, (-1.0, 1.0))
