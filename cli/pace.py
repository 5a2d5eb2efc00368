"""How fast a part of a run goes and how long it still takes, from the units of work that are counted."""

import time
from collections import deque
from collections.abc import Callable

from train.reports.words import in_time

WINDOW = 60.0  # seconds that a rate is measured over: a model's answers come faster at first, and slow down
LEAST = 1.0  # seconds before a rate is said


class PartPace:
    """Counts the finished units of one part, and says their rate and the time that the rest takes."""

    def __init__(self, total: int | None, unit: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin a part of ``total`` units (None: not known) now."""
        self.total, self.unit, self.clock = total, unit, clock
        self.began = clock()
        self.done = 0
        self._seen: deque[tuple[float, int]] = deque([(self.began, 0)])

    def advance(self, done: int, *, at_once: bool = False) -> None:
        """Count finished units; those that were there ``at_once``, such as replies of an earlier run, have no rate."""
        self.done += done
        if at_once:
            self._seen = deque((when, count + done) for when, count in self._seen)
            return
        now = self.clock()
        if now - self._seen[-1][0] >= LEAST:
            self._seen.append((now, self.done))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float | None:
        """Units a second, lately; None where too few are done."""
        when, count = self._seen[0]
        passed = self.clock() - when
        return (self.done - count) / passed if self.done > count and passed >= LEAST else None

    @property
    def left(self) -> float | None:
        """Seconds that the rest takes at this rate; None where that is not known."""
        rate = self.rate
        return None if rate is None or not self.total else max(self.total - self.done, 0) / rate

    @property
    def so_far(self) -> float:
        """Seconds since it began."""
        return self.clock() - self.began


def words(pace: PartPace, note: str) -> list[str]:
    """Return the words beside a part: its rate, its note and, last, the time left.

    A training's note has its own time left. A part that has counted nothing yet says how long it has taken.
    """
    if "left" in note:
        return note.split(", ")
    told = note.split(", ") if note else []
    rate = pace.rate
    if rate is None:
        return [*told, in_time(pace.so_far)] if pace.so_far >= LEAST else told
    unit = pace.unit if rate >= 0.1 else "min"
    speed = f"{rate:,.0f}" if rate >= 10 else f"{rate:.1f}"
    said = f"{speed} {unit}/s" if unit != "min" else f"{rate * 60:.1f} {pace.unit}/min"
    return [said, *told, *([f"{in_time(pace.left)} left"] if pace.left is not None else [])]


def fitted(parts: list[str], room: int) -> str:
    """Return as many parts as there is room for: the last one, which has the time left, and the first ones."""
    kept = list(parts)
    while len(kept) > 1 and len(", ".join(kept)) > room:
        del kept[-2]
    return ", ".join(kept)
