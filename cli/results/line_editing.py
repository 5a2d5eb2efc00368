"""Editing, history and completion of what a person types into the shell of ``gristmill sql``."""

import contextlib
import os
from collections.abc import Callable, Generator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

HISTORY = 1_000  # lines
KEYWORDS = (
    "SELECT FROM WHERE GROUP BY ORDER LIMIT JOIN LEFT USING HAVING DISTINCT COUNT AVG SUM MIN MAX DESC AND OR NOT NULL "
    "LIKE WITH UNION ALL CASE WHEN THEN ELSE END DESCRIBE SUMMARIZE"
).split()


def history_file() -> Path:
    """Return the file that keeps what was typed: in the user's own folder, not in a store that others may read."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "gristmill" / "sql_history"


def completions(
    text: str, before: str, names: Sequence[str], commands: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> list[str]:
    """Return what a word may go on as.

    Args:
        text: The word so far.
        before: What stands before it in the line.
        names: The names of tables and columns. They go on after a table's name and a dot, too.
        commands: The shell's own commands, each with the words that may follow it.

    Returns:
        Commands and what follows them; else names, and SQL's words in the case that was begun.
    """
    words = before.split()
    if words and words[0] in commands:
        return _beginning(text, commands[words[0]]) if len(words) == 1 else []
    if not words and text.startswith("."):
        return _beginning(text, [*commands])
    if not text:
        return []
    table, dot, column = text.rpartition(".")
    if dot:
        return [f"{table}.{name}" for name in _beginning(column, names)]
    return _beginning(text, [*names, *(word if text.isupper() else word.lower() for word in KEYWORDS)])


def _beginning(text: str, words: Sequence[str]) -> list[str]:
    return [word for word in words if word.lower().startswith(text.lower())]


@contextlib.contextmanager
def line_editing(
    names: Callable[[], Sequence[str]], commands: Callable[[], Mapping[str, Sequence[str]]]
) -> Generator[None]:
    """Give ``input`` editing, a history that is kept, and Tab for names and commands, in the body of a ``with``."""
    try:
        import readline  # it is missing on some systems
    except ImportError:
        yield
        return
    file = history_file()
    with contextlib.suppress(OSError):
        readline.read_history_file(file)

    def complete(text: str, state: int) -> str | None:
        before = readline.get_line_buffer()[: readline.get_begidx()]
        found = completions(text, before, names(), commands())
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
