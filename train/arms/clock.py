"""The time that a comparison still takes, and the display that says it beside the progress of each training."""

import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from schemas.progress import Progress, StageWarning
from train.reports.words import in_time

EVALUATION = "evaluation"  # the kind of work that is no training


class Clock:
    """Counts the work that is left: trainings by the arm's training, each with its steps, and evaluations."""

    def __init__(self, left: Sequence[str], steps: Mapping[str, int]) -> None:
        """Begin.

        Args:
            left: The kinds of all work that is to be done, in order: a training's name, or ``EVALUATION``.
            steps: The steps of each training.
        """
        self.left_over = list(left)
        self.total = len(self.left_over)
        self.steps = steps
        self._took: defaultdict[str, list[float]] = defaultdict(list)
        self._began = time.monotonic()
        self._current: str | None = None

    def know(self, kind: str, seconds: float | None) -> None:
        """Take the time of earlier work of a kind."""
        if seconds:
            self._took[kind].append(seconds)

    def begin(self) -> None:
        """Start the next piece of work."""
        self._began = time.monotonic()
        self._current = self.left_over[0] if self.left_over else None

    def end(self) -> None:
        """Finish the current piece of work."""
        if self._current is not None:
            self._took[self._current].append(time.monotonic() - self._began)
            self.left_over.remove(self._current)
        self._current = None

    @property
    def done(self) -> int:
        """How many pieces of work are done."""
        return self.total - len(self.left_over)

    def expected(self, kind: str) -> float | None:
        """Return the seconds that a piece of work takes; None before one like it is measured.

        A training of another arm counts by its steps.
        """
        if self._took[kind]:
            return fmean(self._took[kind])
        others = [one for one in self._took if one != EVALUATION and self._took[one] and self.steps.get(one)]
        if kind == EVALUATION or not others or not self.steps.get(kind):
            return None
        return fmean(fmean(self._took[one]) / self.steps[one] for one in others) * self.steps[kind]

    def left(self) -> float | None:
        """Return the seconds that all the work still takes; None where no training or evaluation is measured."""
        known = [self.expected(kind) for kind in self.left_over]
        if not any(one is not None for one in known):
            return None if self.left_over else 0.0
        gone = time.monotonic() - self._began if self._current else 0.0
        current = self.expected(self._current) if self._current else None
        return max(sum(one for one in known if one is not None) - min(gone, current or 0.0), 0.0)

    def text(self) -> str:
        """Return ``about 24 min left in all``, as far as it is known; empty before anything is measured."""
        seconds = self.left()
        if seconds is None or not self.left_over:
            return ""
        unknown = EVALUATION in self.left_over and self.expected(EVALUATION) is None
        return f"about {in_time(seconds)} left in all{', without evaluations' if unknown else ''}"


class Shown(Progress):
    """Passes a training's progress on, with the whole comparison's time left; a line of one seed is not repeated.

    The same arm is trained on several seeds, so that its warnings and what is known of it beforehand are the same.
    """

    def __init__(self, shown: Progress, clock: Clock) -> None:
        """Show on a display, with the time of a clock."""
        self.shown, self.clock = shown, clock
        self.quiet = False  # whether what is known beforehand was said of the seed before
        self._warned: set[str] = set()

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """Start a stage."""
        self.shown.begin(label, total, unit)

    def advance(self, done: int, note: str = "") -> None:
        """Count finished work; the note gets the time left in all."""
        self.shown.advance(done, self._with_time(note) if note else note)

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """Finish a stage; after a training that was done, say how much of the comparison is left."""
        self.shown.end(label, result, reused=reused)
        if label.startswith("train.") and not reused:
            self.clock.end()
            if text := self.clock.text():
                self.say(f"compare: {self.clock.done} of {self.clock.total} trainings and evaluations done, {text}")
            self.clock.begin()

    def say(self, message: str) -> None:
        """Show a message."""
        self.shown.say(message)

    def detail(self, line: str) -> None:
        """Show a line on the current stage, on the first seed only."""
        if not self.quiet:
            self.shown.detail(line)

    def status(self, line: str) -> None:
        """Show how far a stage is, and the time left in all."""
        self.shown.status(self._with_time(line))

    def warn(self, warning: StageWarning) -> None:
        """Show a warning, once for all seeds, whose trainings differ in the names alone."""
        text = re.sub(r"\.seed\d+\b", "", warning.text)
        if text not in self._warned:
            self._warned.add(text)
            self.shown.warn(warning)

    def _with_time(self, line: str) -> str:
        text = self.clock.text()
        return f"{line} ({text})" if text else line
