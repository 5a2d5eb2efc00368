"""A model's text made safe for a terminal, and cut into lines of a width in cells."""

import unicodedata
from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

TAB = "    "
# They join letters and emoji, and steer nothing: Persian and Hindi texts have them.
JOINERS = ("\u200c", "\u200d")


def safe_text(text: str) -> str:
    """Return a model's text without what could steer a terminal: line ends and joiners stay, a tab is four spaces."""
    if text.isprintable():
        return text  # nearly all
    return "".join(map(_safe, text))


def _safe(character: str) -> str:
    if character == "\n" or character in JOINERS or character.isprintable():
        return character
    if character == "\t":
        return TAB
    if character in ("\u2028", "\u2029"):
        return "\n"
    kind = unicodedata.category(character)
    if kind == "Zs":
        return character  # spaces of every width
    return "" if kind in ("Cc", "Cf") else "\ufffd"


def wrapped(text: str, width: int) -> Iterator[str]:
    """Yield the lines of a text, none wider than ``width`` cells: cut between words where it can be."""
    for line in text.split("\n"):
        yield from _wrapped_line(line, width)


def _wrapped_line(line: str, width: int) -> Iterator[str]:
    while cell_len(line) > width:
        head = chop_cells(line[: 8 * width], width)[0] or line[0]
        cut = head.rfind(" ") + 1 if not line[len(head)].isspace() else len(head)
        cut = cut if head[:cut].strip() else len(head)
        yield line[:cut].rstrip()
        line = line[cut:].removeprefix(" ") if cut == len(head) else line[cut:]
    yield line


def padded(line: str, width: int) -> str:
    """Return a line with spaces up to a width in cells."""
    return line + " " * max(0, width - cell_len(line))


def shortened(text: str, width: int) -> str:
    """Return a text on one line, with its end where it is wider than ``width`` cells."""
    line = " ".join(safe_text(text).split())
    if cell_len(line) <= width:
        return line
    kept, room = len(line), width - 1  # for the sign
    while kept > 1 and (room := room - cell_len(line[kept - 1])) >= 0:
        kept -= 1
    return f"…{line[kept:]}"
