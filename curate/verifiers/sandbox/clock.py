"""Time limits of tests: by the time that a program used or slept, not by the time it waited for a busy processor."""

import time
from dataclasses import dataclass

from curate.verifiers.sandbox.sandbox import Sandbox


class Late(Exception):
    """A test, or the whole run, is out of time; the message says which."""


class Busy(Exception):
    """The machine had no time for the program, which says nothing about the program."""


@dataclass
class Clock:
    """The time limits of one response's tests.

    Attributes:
        seconds: Limit of one test, not counting the time in which a program waited for a processor.
        total: Limit of all tests together, in seconds of the wall clock.
        patience: Seconds of waiting for a processor that are granted beside ``total``.
        granted: Seconds of them that the run has used so far.
        begun: When the run began, on the monotonic clock.
        test: When the present test began.
        spare: Seconds granted to the present test for its waiting so far.
        lost: Seconds that earlier tests waited for a processor.
        watched: The sandboxes in which the test runs.
        before: Their ``times`` when the test began.
    """

    seconds: float
    total: float
    patience: float = 0.0
    granted: float = 0.0
    begun: float = 0.0
    test: float = 0.0
    spare: float = 0.0
    lost: float = 0.0
    watched: tuple[Sandbox, ...] = ()
    before: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self.begun = self.test = time.monotonic()

    @property
    def ends(self) -> float:
        """When the run is out of time, on the monotonic clock, as far as its waiting is known."""
        return self.begun + self.total + self.granted

    def restart(self, *watched: Sandbox) -> None:
        """Begin a test in these sandboxes, or in the same as before."""
        if self.watched:
            self.lost += self._since()[1]
        self.watched = watched or self.watched
        self.test, self.spare, self.before = time.monotonic(), 0.0, self._times()

    def left(self) -> float:
        """Return the seconds to wait before asking again, at most what the test has left.

        Raises:
            Late: If the test or the run is out of time.
            Busy: If the run is out of time and spent more than half of it waiting for a processor.
        """
        now = time.monotonic()
        whole = self.ends - now
        test = self.test + self.seconds + self.spare - now
        if min(whole, test) > 0:
            return min(whole, test)
        computed, waited = self._since()
        passed = now - self.test
        if whole <= 0:
            granted = min(self.patience, self.lost + waited)
            if granted > self.granted + 0.01:
                self.granted = granted
                return max(0.001, min(self.ends - now, self.test + self.seconds + self.spare - now))
            if self.lost + waited - self.granted > self.total / 2:
                raise Busy(
                    f"the machine was too busy: the program waited for a processor for "
                    f"{self.lost + waited:.1f} s of {self.total + self.granted:g}"
                )
            raise Late(f"the whole run took more than {self.total:g} s")
        if waited > self.spare + 0.01:
            self.spare = waited
            return max(0.001, min(whole, self.test + self.seconds + self.spare - now))
        how = "computing" if computed > (passed - waited) / 2 else "waiting"
        raise Late(f"took more than {self.seconds:g} s ({how})")

    def _since(self) -> tuple[float, float]:
        """Return the seconds computed and waited in this test.

        The wait is at most the time that passed without computing: where threads of the program wait for each other,
        the program had a processor.
        """
        computed, waited = (new - old for new, old in zip(self._times(), self.before, strict=True))
        return computed, max(0.0, min(waited, time.monotonic() - self.test - computed))

    def _times(self) -> tuple[float, float]:
        times = [sandbox.times() for sandbox in self.watched] or [(0.0, 0.0)]
        return sum(t[0] for t in times), sum(t[1] for t in times)
