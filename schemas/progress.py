"""The interface through which a run reports its progress. ``cli.progress`` shows it as bars and lines."""

from typing import NamedTuple


class StageWarning(NamedTuple):
    """A warning: the label of the stage it is about, and what was found, where, and what to set."""

    stage: str
    text: str

    def __str__(self) -> str:
        """Return ``datasets.sft: 0 rows: ...``."""
        return f"{self.stage}: {self.text}"


class Progress:
    """Receives a run's progress and shows nothing. Subclasses show it."""

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """Start a stage of ``total`` units of work (``None``: not known)."""

    def advance(self, done: int, note: str = "") -> None:
        """Count ``done`` more finished units of the current stage; ``note`` is a figure to show, such as a rate."""

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """Finish a stage; ``result`` is its result in a few words, such as a count of rows."""

    def say(self, message: str) -> None:
        """Show a message on a line of its own."""

    def detail(self, line: str) -> None:
        """Show a line on what is usual for the current stage: what is known of it beforehand, a figure of it."""

    def status(self, line: str) -> None:
        """Receive, now and then, how far the current stage is, for a display without a bar: a line of its own."""

    def warn(self, warning: StageWarning) -> None:
        """Show a warning about a stage on a line of its own."""
