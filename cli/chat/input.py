"""Reads what a person, or a pipe, says: a line, several lines in one text, and the commands that begin with ``/``."""

import contextlib
import sys
from collections.abc import Sequence
from typing import NamedTuple, TextIO

from schemas.errors import UserError, nearest

BLOCK = '"""'
PROMPT, MORE = ">>> ", "... "


class Line(NamedTuple):
    """A text to send, or a command with what stands behind it; ``number`` is the line that it began on."""

    text: str
    command: str = ""
    number: int = 0


class Inputs:
    """Reads texts and commands: from a terminal with editing and history, from anything else line by line.

    A line that ends with a backslash goes on in the next one. A line that begins with three double quotes begins a
    text that ends with three of them. What is pasted into a terminal comes as one text.
    """

    def __init__(self, stream: TextIO, commands: Sequence[str], *, edited: bool) -> None:
        """Begin to read.

        Args:
            stream: The stream, for what is no terminal.
            commands: The names of the commands.
            edited: Whether a person types into a terminal.
        """
        self.stream, self.commands, self.edited = stream, commands, edited
        self.number = 0
        if edited:
            _set_up_editing(commands)

    def next(self) -> Line | None:
        """Return the next text or command, None at the end. Blank lines are passed over.

        Raises:
            UserError: A command is not known, or a block has no end.
            KeyboardInterrupt: Ctrl-C at the prompt.
        """
        while (line := self._line(PROMPT)) is not None:
            began = self.number
            text = self._joined(line)
            if text is None:
                continue  # a block that Ctrl-D has ended
            if text.startswith("/") and text == line:
                return self._command(text, began)
            if text.strip():
                return Line(text.strip(), number=began)
        return None

    def _line(self, prompt: str) -> str | None:
        """Return the next line without its end; None at the end."""
        self.number += 1
        if not self.edited:
            line = self.stream.readline()
            return line.removesuffix("\n").removesuffix("\r") if line else None
        try:
            return input(prompt)
        except EOFError:
            return None

    def _joined(self, line: str) -> str | None:
        """Return a line with those that go with it."""
        if line.lstrip().startswith(BLOCK):
            return self._block(line.lstrip().removeprefix(BLOCK))
        lines = [line]
        while lines[-1].endswith("\\"):
            more = self._line(MORE)
            lines[-1] = lines[-1].removesuffix("\\")
            if more is None:
                break
            lines.append(more)
        return "\n".join(lines)

    def _block(self, first: str) -> str | None:
        """Return the text of a block, up to the quotes that end it."""
        began, lines = self.number, [first]
        while BLOCK not in lines[-1]:
            more = self._line(MORE)
            if more is None and self.edited:
                return None
            if more is None:
                raise UserError(f"line {began} of the input: the text that {BLOCK} begins has no end")
            lines.append(more)
        lines[-1] = lines[-1].partition(BLOCK)[0]
        return "\n".join(lines)

    def _command(self, text: str, number: int) -> Line:
        """Return a command. Raises ``UserError`` where there is none of that name: it is not sent to the model."""
        name, *rest = text.split(maxsplit=1)
        if name not in self.commands:
            near = nearest(name, self.commands)
            raise UserError(f"no command {name!r}{near}; a space before it sends it as a text")
        return Line(rest[0].strip() if rest else "", name, number)


def _set_up_editing(commands: Sequence[str]) -> None:
    """Give ``input`` editing, a history of this session alone (kept in no file), and Tab for commands."""
    with contextlib.suppress(ImportError):  # it is missing on some systems
        import readline

        def complete(text: str, state: int) -> str | None:
            found = [name for name in commands if text and name.startswith(text)]
            return found[state] if state < len(found) else None

        readline.set_completer(complete)
        readline.set_completer_delims(" ")
        readline.parse_and_bind("tab: complete")
        readline.parse_and_bind("set enable-bracketed-paste on")  # which Python turns off


def is_terminal() -> bool:
    """Return whether a person types, and sees what is printed."""
    return sys.stdin.isatty() and sys.stdout.isatty()
