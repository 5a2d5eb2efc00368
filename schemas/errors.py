"""What can go wrong by the user's hand, and how to say it in one line.

Raise ``UserError`` anywhere below the command line; ``cli.main`` prints it as one line and exits 2. ``Failed`` (exit
1) and ``Stopped`` (exit 3) are nobody's mistake: something outside failed, or a budget is used up.
"""

import difflib
from collections.abc import Iterable


class OneLine(Exception):
    """Something to be said in one line, without a traceback."""

    def __init__(self, message: str) -> None:
        """Take what to say. Line ends and control characters, of another library's or a row's text, become spaces."""
        super().__init__("".join(c if c.isprintable() else " " for c in message))


class UserError(OneLine):
    """A mistake in a recipe, a flag, a file or a query. Its text is one line that names what, where and what to do."""


class Failed(OneLine):
    """Too much of what was asked of a model failed. What did not is kept."""


class Stopped(OneLine):
    """A budget is used up. What it paid for is kept, and the datasets are made from that."""


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'? (there are: ...)"`` for a name that is not among ``known``."""
    known = sorted(set(known))
    if not known:
        return " (there are none)"
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
    return f"{hint} (there are: {shown})"


def unknown(what: str, name: str, known: Iterable[str], where: str = "") -> UserError:
    """Build the error for a name that does not exist: ``unknown("score step", "wrds", ["words"])``.

    ``where`` is a ``file:line`` prefix, or empty.
    """
    prefix = f"{where}: " if where else ""
    return UserError(f"{prefix}no {what} {str(name)!r}{nearest(str(name), known)}")


def needs_extra(what: str, extra: str) -> UserError:
    """Build the error for an optional dependency that is not installed."""
    return UserError(f"{what} needs the extra {extra!r}; install it with: pip install 'gristmill[{extra}]'")
