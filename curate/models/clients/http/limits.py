"""Decides when a request may be sent: limits per minute, and the wait after a failure, which a server may name.

Times are seconds of the event loop's clock, which never jumps.
"""

import asyncio
import math
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0


class Pace:
    """At most ``per_minute`` units in any minute, spread evenly, with a burst of a second's worth at most.

    The leaky bucket as a meter (ITU-T I.371, the "virtual scheduling" form): ``due`` is when the next unit is due.
    """

    def __init__(self, per_minute: int) -> None:
        burst = max(1, per_minute // 60)
        self.step = 60 / (per_minute - burst + 1)
        self.slack = (burst - 1) * self.step
        self.due = -math.inf

    def wait(self, now: float) -> float:
        """Return the seconds until a unit may be sent."""
        return max(0.0, self.due - self.slack - now)

    def spend(self, now: float, units: int) -> None:
        """Count units that are sent now."""
        self.due = max(self.due, now) + units * self.step

    def correct(self, units: int) -> None:
        """Count how many more units (fewer, if negative) were used than was estimated."""
        self.due += units * self.step


class Limits:
    """The gate that every request of an engine goes through."""

    def __init__(self, requests_per_minute: int = 0, tokens_per_minute: int = 0) -> None:
        """Set the limits; zero is no limit."""
        self.requests = Pace(requests_per_minute) if requests_per_minute else None
        self.tokens = Pace(tokens_per_minute) if tokens_per_minute else None
        self.begin()

    def begin(self) -> None:
        """Get ready for another event loop."""
        self.turn = asyncio.Lock()

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be sent."""
        paces = [pace.wait(now) for pace in (self.requests, self.tokens) if pace]
        return max(0.0, *paces)

    async def enter(self, tokens: int) -> None:
        """Wait until a request that may take this many tokens may be sent."""
        loop = asyncio.get_running_loop()
        if not self.requests and not self.tokens:
            return
        async with self.turn:  # first come, first served; one sleeps for all
            while wait := self.wait(loop.time()):
                await asyncio.sleep(min(wait, 1.0))  # tokens given back meanwhile shorten the wait
            if self.requests:
                self.requests.spend(loop.time(), 1)
            if self.tokens:
                self.tokens.spend(loop.time(), tokens)

    def correct_tokens(self, estimate: int, tokens: int) -> None:
        """Count the tokens that a request really took, which was let through with an estimate."""
        if self.tokens:
            self.tokens.correct(tokens - estimate)


def back_off(failures: int) -> float:
    """Return the seconds to wait after so many failures, at random up to a bound that doubles ("full jitter")."""
    return random.random() * min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failures - 1, 30))  # noqa: S311 - no secret


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Return the seconds that a server asks to wait (``retry-after-ms``, or ``Retry-After``), or None.

    Args:
        headers: The answer's headers. ``Retry-After`` may be seconds or a date.
        now: The time to count a date from; the present time by default.
    """
    for name, unit in (("retry-after-ms", 1000), ("Retry-After", 1)):
        text = headers.get(name, "")
        try:
            seconds = float(text) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    try:
        date = parsedate_to_datetime(headers.get("Retry-After", ""))
    except (ValueError, TypeError, OverflowError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def duration(seconds: float) -> str:
    """Return seconds in words, in hours where they are many."""
    if seconds < 1000:
        return f"{seconds:.3g} s"
    return f"{seconds / 3600:.1f} h" if seconds < 1e8 else "for years"
