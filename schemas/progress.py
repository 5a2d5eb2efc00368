"""How a run tells of its progress. The silent one is here; ``cli.progress`` shows bars and lines."""


class Progress:
    """Takes note of a run's progress and says nothing. Subclasses show it."""

    def begin(self, label: str, total: int | None = None, unit: str = "rows") -> None:
        """A stage starts: ``total`` units of work, if known."""

    def advance(self, done: int, note: str = "") -> None:
        """``done`` more units of the current stage are finished; ``note`` is a figure worth showing, such as a rate."""

    def end(self, label: str, result: str, *, reused: bool = False) -> None:
        """A stage is finished; ``result`` says what came of it in a few words."""

    def say(self, message: str) -> None:
        """Something worth a line of its own."""
