"""The display of a comparison's trainings: the time that is left in all beside each one's own."""

from schemas.progress import Progress, StageWarning
from train.arms.clock import Clock


class Shown(Progress):
    """Passes a training's progress on, with the whole comparison's time left; what was said once is said once.

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
        """Show a warning, once for all seeds."""
        if warning.text not in self._warned:
            self._warned.add(warning.text)
            self.shown.warn(warning)

    def _with_time(self, line: str) -> str:
        text = self.clock.text()
        return f"{line} ({text})" if text else line
