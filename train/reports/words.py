"""Numbers as a person reads them: bytes, times, figures of a training."""

import math


def in_bytes(count: int | float) -> str:
    """Return a number of bytes as ``850 MB`` or ``5.2 GB`` (10^6, 10^9)."""
    return f"{count / 1e6:,.0f} MB" if count < 1e9 else f"{count / 1e9:,.1f} GB"


def in_time(seconds: float) -> str:
    """Return a time as ``45 s``, ``6 min``, ``2 h 10 min`` or ``1 day 3 h``."""
    if seconds < 90:
        return f"{max(seconds, 0):.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 36:
        return f"{hours} h {minutes} min"
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} day{'' if days == 1 else 's'} {hours} h"


def figure(value: float) -> str:
    """Return a figure with three decimals, a smaller one as ``2.4e-05``; in words, where it is no number."""
    if math.isnan(value):
        return "not a number"
    if math.isinf(value):
        return "infinite"
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.1e}"


def share(part: int, whole: int) -> str:
    """Return a share as ``3.5%``; ``100%`` for all."""
    percent = 100 * part / max(whole, 1)
    return "100%" if part == whole else f"{percent:.2g}%" if percent < 10 else f"{percent:.0f}%"
