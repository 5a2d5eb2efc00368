"""The errors that a user sees as one line, and helpers that name the nearest right thing.

Raise ``UserError`` anywhere below the command line; ``cli.main`` prints it as one line and exits 2. ``Failed`` (exit
1) and ``Stopped`` (exit 3) are not the user's mistake: something outside failed, or a budget is used up.
"""

import difflib
from collections.abc import Iterable
from typing import Any


def printable(text: str) -> str:
    """Return text with a space for every character that is not printed: line ends, what steers a terminal."""
    return "".join(c if c.isprintable() else " " for c in text)


class OneLine(Exception):
    """Base of the errors that are shown as one line, without a traceback."""

    def __init__(self, message: str) -> None:
        """Keep the message, with a space for each line end and control character (of a row's or a library's text)."""
        super().__init__(printable(message))


class UserError(OneLine):
    """A mistake in a recipe, a flag, a file or a query. The message says what was found, where, and what to do."""


class SettingError(UserError):
    """A mistake in a setting of a source: its reader adds the place in the recipe."""


class Failed(OneLine):
    """Too many requests to a model failed. The replies that arrived are kept."""


class Stopped(OneLine):
    """A budget is used up. The replies it paid for are kept, and the datasets are built from them.

    Attributes:
        result: What ``curate.run`` made of them (``curate.RunResult``), or None.
    """

    def __init__(self, message: str, result: Any = None) -> None:
        """Take the message, and what was made."""
        super().__init__(message)
        self.result = result


class Terminated(KeyboardInterrupt):
    """SIGTERM has come: the process ends as on Ctrl-C, but nobody sits at it."""


class BadRow(ValueError):
    """One row cannot be read. The message is one line that says what was found and what was expected, not where."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'? (there are: ...)"`` for a name that is not in ``known``.

    At most 20 known names are listed; the suggestion is left out where no known name is near.
    """
    known = sorted(set(known))
    if not known:
        return " (there are none)"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"{hint} (there are: {shown})"


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> UserError:
    """Return the error for a name that does not exist: ``unknown("score step", "wrds", ["words"])``.

    Args:
        what: The kind of thing that the name should have named.
        name: The name that was found.
        known: The names that exist; the message suggests the nearest.
        where: A ``file:line`` prefix, or empty.
    """
    prefix = f"{where}: " if where else ""
    return UserError(f"{prefix}no {what} {str(name)!r}{nearest(str(name), known)}")


def needs_extra(what: str, extra: str) -> UserError:
    """Return the error for an optional dependency of ``what`` that is not installed."""
    return UserError(f"{what} needs the extra {extra!r}; install it with: pip install 'gristmill[{extra}]'")


def kind_of(value: Any, null: str = "null") -> str:
    """Return the kind of a JSON or YAML value in words: ``"a number"``, ``"a list"``; ``null`` for ``None``."""
    names = {dict: "a mapping", list: "a list", str: "text", bool: "true/false", int: "a number", float: "a number"}
    return null if value is None else names.get(type(value), type(value).__name__)


def short_repr(value: Any, width: int = 40) -> str:
    """Return ``repr(value)`` cut to ``width`` characters, since a value in a data file may be of any size."""
    try:
        shown = repr(value)
    except RecursionError:
        return "(something nested too deeply to show)"
    return shown if len(shown) <= width else f"{shown[: width - 3]}..."
