"""Puts a result on the screen: in colour, in a pager where it is longer than the screen, safe for a terminal."""

import os
import shutil
import sys
from collections.abc import Callable
from typing import TextIO

from rich.console import RenderableType

from cli.plain_console import PlainConsole
from cli.terminal import terminal_text

IN_A_PIPE = 200  # characters of a line where nobody's terminal says how many there are


class OnTerminal:
    """Writes to a terminal what can't steer it; a file and a pipe get the data exactly."""

    def __init__(self, out: TextIO) -> None:
        """Take the terminal."""
        self.out = out

    def write(self, text: str) -> int:
        """Write a text with escapes for what could steer the terminal."""
        return self.out.write(terminal_text(text))


def line_width(out: TextIO) -> int:
    """Return the characters of a line: those of the terminal, or of ``COLUMNS``, or many in a pipe or a file."""
    if out is sys.stdout and out.isatty():
        return shutil.get_terminal_size().columns
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if out is sys.stdout and asked.isdecimal() and int(asked) > 0 else IN_A_PIPE


def show(shape: Callable[[int], RenderableType], out: TextIO, *, title: str = "", note: str = "") -> None:
    """Print what ``shape`` makes for the width of a line, below a title and above a note.

    Args:
        shape: Takes the characters of a line.
        out: The stream. Only a terminal gets colours, and a pager (that of ``PAGER``, else ``less``) for what is longer
            than the screen.
        title: A line above; empty for none.
        note: A line below; empty for none.
    """
    width, on_terminal = line_width(out), out is sys.stdout and out.isatty()
    console = PlainConsole(file=out, width=width, force_terminal=None if on_terminal else False)
    with console.capture() as captured:
        if title:
            console.print(title, style="bold", soft_wrap=True)
        console.print(shape(width), soft_wrap=True)
        if note:
            console.print(note, style="dim", soft_wrap=True)
    text = captured.get()
    if on_terminal and sys.stdin.isatty() and text.count("\n") >= shutil.get_terminal_size().lines:
        import click  # for its pager alone

        click.echo_via_pager(text, color=console.color_system is not None)
    else:
        out.write(text if on_terminal else "\n".join(line.rstrip() for line in text.split("\n")))
