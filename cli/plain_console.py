"""The console of Rich that reads no text as markup, as an emoji's name or as a command to the terminal."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from cli.terminal import STEERING, terminal_text


class PlainConsole(Console):
    """A console for text of any origin: a text's brackets are brackets, and its controls are shown as escapes."""

    def __init__(self, **how: Any) -> None:
        """Take the arguments of Rich's console."""
        super().__init__(markup=False, emoji=False, highlight=False, **how)

    def render_str(self, text: str, **how: Any) -> Text:
        """Return text to print, with escapes for what could steer the terminal."""
        return super().render_str(terminal_text(text), **how)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield what is printed; a text that was laid out elsewhere loses here what could steer the terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=STEERING.sub("", segment.text))
