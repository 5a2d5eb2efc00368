"""The verdict of two arms in words, from the difference of each seed."""

from math import sqrt
from typing import NamedTuple

from curate.algorithms.statistics.intervals import Interval
from curate.algorithms.statistics.smallest_effect import smallest_effect
from train.arms.directions import HIGHER, NEITHER

CLEAR = 0.05  # a p-value below it, after Holm's correction, is a difference
BETTER, WORSE, SAME = "better", "worse", "no difference seen"
MORE, LESS = "higher", "lower"  # of a score that says how an answer is, not how good
FEW = "too few seeds to tell"
UNEQUAL = "not compared: unequal tokens"
NOTHING = "no score to compare"
ONE = "no interval"  # one and the same difference on all seeds and prompts, of scores without bounds
LEAST = 3  # seeds, without which nothing but a clear difference can be told
MANY = 4  # times as many seeds as there are: if that would tell, there are too few of them


class Verdict(NamedTuple):
    """A difference's verdict, and how many seeds would tell where there are too few (None: not known)."""

    text: str
    seeds: int | None = None


def verdict(
    over_seeds: Interval, over_prompts: Interval, corrected: float | None, seeds: int, *, better: str, equal: bool
) -> Verdict:
    """Return the verdict on a difference.

    It is a difference where the p-value of t over the seeds' means, after Holm's correction, is below 0.05. Where all
    seeds have the same difference, there is no t; then it is the p-value over seeds and prompts.

    Args:
        over_seeds: The interval over seeds.
        over_prompts: The interval over seeds and prompts.
        corrected: The p-value of the first one, or of the second where it has none, after Holm's correction.
        seeds: The number of seeds.
        better: Which scores are better: ``higher`` or ``lower`` ones, or ``neither``.
        equal: Whether both arms were trained on as many tokens, as far as they were to be.
    """
    value = over_seeds.value
    if value is None:
        return Verdict(NOTHING)
    if not equal:
        return Verdict(UNEQUAL)
    if seeds > 1 and corrected is not None and corrected < CLEAR and value:
        if better == NEITHER:
            return Verdict(MORE if value > 0 else LESS)
        return Verdict(BETTER if (value > 0) == (better == HIGHER) else WORSE)
    if seeds >= LEAST and corrected is None and value:
        return Verdict(ONE)
    needed = seeds_needed(over_seeds, seeds)
    if seeds < LEAST or needed is not None:
        return Verdict(FEW, needed)
    return Verdict(SAME)


def seeds_needed(over_seeds: Interval, seeds: int) -> int | None:
    """Return how many seeds would see a difference as large as this one; None for more than four times as many."""
    if over_seeds.error is None or not over_seeds.value or not over_seeds.error:
        return None
    spread = over_seeds.error * sqrt(seeds)
    for more in range(seeds + 1, MANY * seeds + 1):
        if smallest_effect(spread / sqrt(more), more - 1) <= abs(over_seeds.value):
            return more
    return None


def p_of(over_seeds: Interval, over_prompts: Interval) -> float | None:
    """Return the p-value that the verdict rests on, before Holm's correction."""
    if over_seeds.p is not None:
        return over_seeds.p
    return over_prompts.p if over_seeds.freedom is not None else None  # all seeds have the same difference
