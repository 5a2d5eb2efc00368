"""The commands by topic, and the name of the program, for every command line that is printed."""

import os
import re
import shutil
import sys
from functools import cache
from pathlib import Path

# Not the command in: uvx --from 'gristmill[demo]' gristmill demo
COMMAND = re.compile(r"(?<![\w./-])(?<!\]' )gristmill (?=(--?[a-z]|[a-z]+(-[a-z]+)*))")
TOPICS = {
    "Start": ("demo", "init", "check", "steps"),
    "Data": ("run", "worker", "report", "view", "sql", "show", "why", "diff", "agree", "export"),
    "Models": ("train", "node", "evaluate", "compare", "chat", "export-model"),
    "The store and the shell": ("doctor", "completion"),
}
COMMANDS = tuple(name for topic in TOPICS.values() for name in topic)


def program() -> str:
    """Return what runs gristmill here, to paste into a shell in the current folder.

    It is ``gristmill`` where PATH finds this one; else the path of the program that runs now, such as
    ``.venv/bin/gristmill``.
    """
    try:
        folder = str(Path.cwd())
    except OSError:  # it is gone, which is said elsewhere
        return "gristmill"
    return _program(sys.argv[0], folder, os.environ.get("PATH", ""))


def with_program(text: str) -> str:
    """Return a text with ``program()`` in place of ``gristmill`` in the command lines that it names."""
    here = program()
    if here == "gristmill":
        return text
    return COMMAND.sub(lambda found: f"{here} " if found[1] in COMMANDS or found[1][0] == "-" else found[0], text)


@cache
def _program(argument: str, folder: str, path: str) -> str:
    running = Path(argument)
    found = shutil.which("gristmill", path=path)
    if running.name != "gristmill" or not running.is_file() or (found and running.samefile(found)):
        return "gristmill"
    return str(running.relative_to(folder) if running.is_relative_to(folder) else running)
