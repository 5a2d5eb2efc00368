"""Holm's correction of several p-values (1979): the chance of one false finding among all of them stays below 5%."""

from collections.abc import Sequence


def holm(ps: Sequence[float | None]) -> list[float | None]:
    """Return the p-values corrected for their number, in their own order; null stays null, and does not count.

    Args:
        ps: The p-values of one family of tests, such as all scorers of one comparison, each in 0..1.
    """
    known = sorted((p, at) for at, p in enumerate(ps) if p is not None)
    corrected: list[float | None] = [None] * len(ps)
    largest = 0.0
    for rank, (p, at) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[at] = largest
    return corrected
