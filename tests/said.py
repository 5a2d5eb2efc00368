"""A display that keeps its messages."""

from schemas.progress import Progress


class Said(Progress):
    """Keeps the messages, as ``lines``."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)
