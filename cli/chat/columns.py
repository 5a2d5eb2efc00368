"""Prints the answers of several models side by side while they are written: a row once each has its line of it.

Only the row that is not whole is printed anew, so that all above stays as it is, in a terminal of any height.
"""

from typing import TextIO

from cli.chat.text import padded, shortened, wrapped

LEAST = 36  # cells of a column
BETWEEN = " │ "
CLEAR = "\r\x1b[K"


def column_width(columns: int, count: int) -> int:
    """Return the cells of each of ``count`` columns in a terminal of so many; 0 where they are too narrow."""
    width = (columns - 1 - len(BETWEEN) * (count - 1)) // count
    return width if width >= LEAST else 0


class Columns:
    """Prints the answers to one turn in columns."""

    def __init__(self, out: TextIO, names: list[str], width: int) -> None:
        """Print the names of the models above the columns.

        Args:
            out: The terminal.
            names: The models' names.
            width: The cells of a column.
        """
        self.out, self.width = out, width
        self.ended = [False] * len(names)
        self.rows = 0  # printed for good
        heads = [padded(shortened(name, width), width) for name in names]
        out.write(f"{BETWEEN.join(heads).rstrip()}\n{'─┼─'.join('─' * width for _ in names)}\n")
        self.lines: list[list[str]] = [[""] for _ in names]

    def add(self, index: int, text: str) -> None:
        """Add safe text to a column."""
        # Lines that are whole stay as they are: only the last one is cut anew.
        *whole, last = self.lines[index]
        self.lines[index] = [*whole, *wrapped(last + text, self.width)]
        self._print()

    def end(self, index: int) -> None:
        """End a column."""
        while len(self.lines[index]) > 1 and not self.lines[index][-1].strip():
            self.lines[index].pop()
        self.ended[index] = True
        self._print()

    def _print(self) -> None:
        """Print the rows that are whole, and the one that is being written."""
        all_ended = all(self.ended)
        most = max(map(len, self.lines))
        while self.rows < most and all(
            done or len(lines) > self.rows + 1 for done, lines in zip(self.ended, self.lines, strict=True)
        ):
            self.out.write(f"{CLEAR}{self._row(self.rows)}\n")
            self.rows += 1
        row = self._row(self.rows) if self.rows < most and not all_ended else ""
        self.out.write(f"{CLEAR}{row}")
        self.out.flush()

    def _row(self, row: int) -> str:
        cells = [padded(lines[row] if row < len(lines) else "", self.width) for lines in self.lines]
        return BETWEEN.join(cells).rstrip()
