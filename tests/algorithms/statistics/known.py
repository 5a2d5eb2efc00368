"""A figure that has a value and an interval, as numbers."""

from typing import NamedTuple

from curate.algorithms.statistics.figures import Figure


class Known(NamedTuple):
    value: float
    low: float
    high: float
    count: int


def known(figure: Figure) -> Known:
    """Return a figure that has a value and an interval; another is an AssertionError that says why."""
    assert figure.value is not None and figure.low is not None and figure.high is not None, figure.why
    return Known(figure.value, figure.low, figure.high, figure.count)
