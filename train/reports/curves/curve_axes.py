"""The scales of a plot: where a value stands, round ticks and their labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
PAD = 0.06  # of the height, above and below the curve
UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
SMALL = 0.01  # where all ticks are smaller, they have exponents
LEAST = 1e-300  # a smaller range is none: it has no digits left to divide
SAME = 1e-9  # a smaller range, relative to the values, is one value


@dataclass(frozen=True)
class Axis:
    """A scale from ``low`` to ``high``, both inside the plot, onto pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high, value = (math.log10(v) if self.logarithmic else v for v in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self, count: int) -> list[tuple[float, str]]:
        """Return about ``count`` round values on the scale, each with its label."""
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            every = max(1, math.ceil(len(powers) / count))
            return [(10.0**power, label(10.0**power)) for power in powers if power % every == 0]
        step = round_step((self.high - self.low) / count)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        small = max(abs(self.low), abs(self.high)) < SMALL
        return [(i * step, label(i * step, step, small=small)) for i in range(first, last + 1)]


def value_axis(values: Sequence[float], start: float, end: float, *, logarithmic: bool) -> Axis:
    """Return the scale for some values, with room above and below; of one value, a scale around it."""
    low, high = min(values), max(values)
    if logarithmic:
        room = (high / low) ** PAD
        return Axis(max(low / room, 1e-300), min(high * room, 1e300), start, end, logarithmic=True)
    size = max(abs(low), abs(high))
    if high - low <= max(SAME * size, LEAST):
        room = size / 2 if size > LEAST else 1.0
        return Axis(low - room, high + room, start, end)
    room = PAD * (high - low)
    return Axis(low - room, high + room, start, end)


def step_axis(last: float, start: float, end: float) -> Axis:
    """Return the scale of steps, from 0."""
    return Axis(0.0, max(last, 1.0), start, end)


def round_step(least: float) -> float:
    """Return the round number (1, 2, 2.5 or 5 times a power of ten) that is ``least`` or the next above it."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in ROUND if factor * power >= least * (1 - 1e-9))


def label(value: float, step: float | None = None, *, small: bool = False) -> str:
    """Return a number as a label: 0.25, 20k, 5e-5.

    Args:
        value: The number.
        step: Of a tick: the distance to the next, which decides how many digits are shown.
        small: Whether to write a number below ``SMALL`` with an exponent even if it is not below 0.001.
    """
    size = abs(value)
    if size == 0 or (step and size < step * 1e-6):
        return "0"
    unit, name = next(((u, n) for u, n in UNITS if size >= u), (1.0, "")) if size >= 1e4 else (1.0, "")
    if (SMALL if small else 1e-3) <= size < 1e12:
        if step is None:
            return f"{value / unit:.4g}{name}"
        tick = step / unit
        digits = next((d for d in range(10) if abs(round(tick, d) - tick) < 1e-6 * tick), 10)
        return f"{value / unit:.{digits}f}{name}"
    mantissa, power = f"{value:.{_digits(size, step)}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(power)}"


def _digits(size: float, step: float | None) -> int:
    """Return how many digits behind the first tell a value from its neighbours."""
    return 2 if step is None else min(8, max(0, math.floor(math.log10(size)) - math.floor(math.log10(step)) + 1))
