"""``gristmill run`` as a process of its own, to be killed: by the test, or at a moment named by what it writes."""

import os
import subprocess
import sys
from pathlib import Path

from curate.storage.reply_log import ReplyLog
from curate.storage.store import Store
from schemas.recipe import Recipe

ROOT = Path(__file__).parent.parent
# A shell may start the tests with Ctrl-C ignored; a person's terminal does not.
COMMAND = """
import os, re, signal, sys

signal.signal(signal.SIGINT, signal.default_int_handler)
moment, times = re.compile(os.environ.get("KILLED_AT", "")), int(os.environ.get("KILLED_TIMES", "1"))


def kill(event, arguments):
    global times
    if event not in ("open", "os.mkdir", "os.rename") or not moment.search(f"{event} {arguments[0]}"):
        return
    times -= 1
    if times == 0:
        os.kill(os.getpid(), signal.SIGKILL)


if moment.pattern:
    sys.addaudithook(kill)
from cli.main import main

main()
"""


def started(recipe: Recipe, store: Store, *, killed_at: str = "", times: int = 1) -> subprocess.Popen[str]:
    """Start ``gristmill run``; it is killed just before the first (or ``times``-th) file operation ``killed_at``.

    ``killed_at`` is a regular expression that finds the operation in a text such as ``os.rename PATH`` (of the file as
    it is called before), ``os.mkdir PATH`` or ``open PATH``, as Python's audit events name them.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "NO_COLOR": "1",
        "KILLED_AT": killed_at,
        "KILLED_TIMES": str(times),
    }
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, "run", str(recipe.path), "--store", str(store.path)],
        env=environment,
        cwd=recipe.path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(recipe: Recipe, store: Store) -> tuple[int, str]:
    """Run it to its end; returns the exit code and what it printed to standard error."""
    child = started(recipe, store)
    _, errors = child.communicate(timeout=120)
    return child.returncode, errors


def replies_kept(store: Store) -> int:
    """How many replies the log holds, as any other process sees it."""
    with ReplyLog.open_for_reading(store) as log:
        return log.db.execute("SELECT count(*) FROM replies WHERE failed = 0").fetchone()[0]
