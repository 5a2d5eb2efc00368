"""Editing, history and completion of what a person types into the shell of ``gristmill sql``."""

import contextlib
import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

HISTORY = 1_000  # lines
KEYWORDS = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT JOIN LEFT USING HAVING DISTINCT COUNT AVG SUM MIN MAX DESC AND OR NOT NULL "
    "LIKE WITH UNION ALL CASE WHEN THEN ELSE END DESCRIBE SUMMARIZE"
).split()


def history_file() -> Path:
    """Return the file that keeps what was typed: in the user's own folder, not in a store that others may read."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "gristmill" / "sql_history"


def completions(text: str, names: Sequence[str]) -> list[str]:
    """Return what a word may go on as: names of tables and columns, and SQL's words in the case that was begun."""
    if not text:
        return []
    words = [word if text.isupper() else word.lower() for word in KEYWORDS]
    return [name for name in (*names, *words) if name.lower().startswith(text.lower())]


@contextlib.contextmanager
def line_editing(names: Callable[[], Sequence[str]]) -> Generator[None]:
    """Give ``input`` editing, a history that is kept, and Tab for names, in the body of a ``with``."""
    try:
        import readline  # it is missing on some systems
    except ImportError:
        yield
        return
    file = history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(file)

    def complete(text: str, state: int) -> str | None:
        found = completions(text, names())
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.set_completer_delims(" \t\n,()=<>*+;\"'")
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(HISTORY)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # a home that can't be written keeps no history
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            readline.write_history_file(file)
