"""What time a program has: told by what it needed, not by how busy the machine was."""

import time
from dataclasses import dataclass

from curate.verifiers.sandbox.sandbox import Sandbox


class Late(Exception):
    """A test, or the whole run, is out of time; says which."""


class Busy(Exception):
    """The machine had no time for the program: that says nothing of it."""


@dataclass
class Clock:
    """What time there is: ``seconds`` a test, not counting those for which a program waited for a processor.

    ``total`` is for all tests, and counts everything.
    """

    seconds: float
    total: float
    begun: float = 0.0
    test: float = 0.0
    spare: float = 0.0
    lost: float = 0.0
    watched: tuple[Sandbox, ...] = ()
    before: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        self.begun = self.test = time.monotonic()

    def restart(self, *watched: Sandbox) -> None:
        """A test begins, in these sandboxes."""
        if self.watched:
            self.lost += self._since()[1]
        self.watched = watched or self.watched
        self.test, self.spare, self.before = time.monotonic(), 0.0, self._times()

    def left(self) -> float:
        """Seconds until the time should be looked at (not more than the test has). Raises ``Late`` or ``Busy``."""
        now = time.monotonic()
        whole = self.begun + self.total - now
        test = self.test + self.seconds + self.spare - now
        if min(whole, test) > 0:
            return min(whole, test)
        computed, waited = self._since()
        passed = now - self.test
        if whole <= 0:
            if self.lost + waited > self.total / 2:
                raise Busy(
                    f"the machine was too busy: the program waited for a processor for "
                    f"{self.lost + waited:.1f} s of {self.total:g}"
                )
            raise Late(f"the whole run took more than {self.total:g} s")
        if waited > self.spare + 0.01:
            self.spare = waited
            return max(0.001, min(whole, self.test + self.seconds + self.spare - now))
        how = "computing" if computed > (passed - waited) / 2 else "waiting"
        raise Late(f"took more than {self.seconds:g} s ({how})")

    def _since(self) -> tuple[float, float]:
        """Seconds computed and waited in this test. Threads that wait for each other had the processor meanwhile."""
        computed, waited = (new - old for new, old in zip(self._times(), self.before, strict=True))
        return computed, max(0.0, min(waited, time.monotonic() - self.test - computed))

    def _times(self) -> tuple[float, float]:
        times = [sandbox.times() for sandbox in self.watched] or [(0.0, 0.0)]
        return sum(t[0] for t in times), sum(t[1] for t in times)
