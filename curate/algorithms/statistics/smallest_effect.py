"""The smallest effect that a comparison can see: with 80% power, in a two-sided test at 5%."""

from math import sqrt

from curate.algorithms.statistics.student import POWER, noncentrality


def smallest_effect(error: float, freedom: float, power: float = POWER) -> float:
    """Return the smallest true difference that a comparison sees with ``power``, in the unit of the error.

    Args:
        error: The standard error of the difference.
        freedom: Its degrees of freedom, at least 1.
        power: The chance to see it.
    """
    return error * noncentrality(round(freedom, 2), power)


def seed_error(seeds: int, prompts: int, seed_sd: float, cell_sd: float) -> float:
    """Return the standard error to expect of the mean difference of two arms over seeds, with ``seeds - 1`` degrees.

    Before a training nothing is measured, so both spreads are assumptions. Two arms whose 0/1 verdicts differ on a
    share q of the prompts have a ``cell_sd`` of at most sqrt(q).

    Args:
        seeds: The seeds of each arm.
        prompts: The prompts, or the clusters of prompts.
        seed_sd: The standard deviation over seeds of the true difference of the arms, such as 0.03.
        cell_sd: The standard deviation over prompts of the difference of one seed, such as 0.5.
    """
    return sqrt((seed_sd**2 + cell_sd**2 / prompts) / seeds)
