"""Student's t distribution (1908): its quantiles, the p-value of a statistic, and its power.

mpmath computes the incomplete beta function. Quantiles are remembered by their degrees of freedom, as a table asks for
the same ones again.
"""

from functools import cache
from math import erfc, inf, sqrt
from typing import Any

import numpy as np

POWER = 0.8  # the chance with which the smallest effect is seen
MANY = 200  # degrees of freedom
NODES = 4000  # of the sum over the estimated spread, for the power


def two_sided_p(statistic: float, freedom: float) -> float:
    """Return the chance of a statistic at least so far from 0, in 0..1, where there is no effect.

    Args:
        statistic: The estimate divided by its standard error; of either sign, and infinite for an error of 0.
        freedom: The degrees of freedom, above 0, with a fraction or without.
    """
    if statistic in (inf, -inf):
        return 0.0
    return _beta(freedom / (freedom + statistic**2), freedom)


@cache
def t_quantile(freedom: float, share: float = 0.975) -> float:
    """Return the quantile of Student's t that a ``share`` of it is below.

    Args:
        freedom: The degrees of freedom, above 0.
        share: Which quantile, in 0.5..1, 1 left out.
    """
    outside = 2 * (1 - share)
    if outside >= 1:
        return 0.0
    low, high = 0.0, 1.0  # of x = freedom / (freedom + t^2), which falls as t grows
    start = freedom / (freedom + 4.0)
    for _ in range(60):
        if high - low <= 1e-13 * high:
            break
        middle = start if not low and high == 1.0 else (low + high) / 2
        low, high = (middle, high) if _beta(middle, freedom) < outside else (low, middle)
    x = (low + high) / 2
    return sqrt(freedom * (1 - x) / x)


@cache
def noncentrality(freedom: float, power: float = POWER) -> float:
    """Return how many standard errors an effect must have for a test at 5%, two-sided, to see it with ``power``.

    The chance is that of the noncentral t distribution, as a sum over the estimated standard error.

    Args:
        freedom: The degrees of freedom of the standard error, at least 1.
        power: The chance to see it, in 0.05..1, both left out.
    """
    border, spread, weight = t_quantile(freedom), *_spread(freedom)
    low, high = 0.0, 2.0
    while _power(high, border, spread, weight) < power:
        low, high = high, 2 * high
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if _power(middle, border, spread, weight) < power else (low, middle)
    return high


def _beta(x: float, freedom: float) -> float:
    """Return the regularised incomplete beta function of x with freedom / 2 and 1 / 2."""
    import mpmath

    # Machine numbers are four times as fast, and exact to 12 digits, but overflow for many degrees.
    context: Any = mpmath.fp if freedom < MANY else mpmath
    return float(context.betainc(freedom / 2, 0.5, 0, x, regularized=True))


def _spread(freedom: float) -> tuple[np.ndarray, np.ndarray]:
    """Return values of an estimated standard error, as shares of the true one, and the chance of each."""
    wide = 8 / sqrt(2 * freedom)
    spread = np.linspace(max(1 - wide, 0.0), 1 + wide, NODES + 1)[1:]
    log_weight = (freedom - 1) * np.log(spread) - freedom * spread**2 / 2  # the density of chi / sqrt(freedom)
    weight = np.exp(log_weight - log_weight.max())
    return spread, weight / weight.sum()


def _power(effect: float, border: float, spread: np.ndarray, weight: np.ndarray) -> float:
    above, below = _normal(effect - border * spread), _normal(-effect - border * spread)
    return float(np.sum(weight * (above + below)))


def _normal(values: np.ndarray) -> np.ndarray:
    """Return the normal distribution's share below each value."""
    return np.array([erfc(-value / sqrt(2)) / 2 for value in values.tolist()])
