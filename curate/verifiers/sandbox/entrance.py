"""The first code that runs inside a sandbox: takes the job, gives up every right, sets the limits, starts the work.

Stdlib only. Until it hands over, nothing hostile has run in the process.
"""

import importlib
import os
import resource
from typing import Any

from curate.verifiers.sandbox.values import receive, send

# What nearly every program imports: done ahead, while the sandbox waits.
AHEAD = (
    "ast",
    "bisect",
    "collections",
    "contextlib",
    "copy",
    "datetime",
    "functools",
    "heapq",
    "io",
    "itertools",
    "math",
    "operator",
    "random",
    "re",
    "string",
    "threading",
    "typing",
)
FILE, TASKS, FILES = 16 << 20, 64, 64  # bytes of a file, threads, open files


def main(control: int, link: int, user: int, role: str) -> None:
    """Wait for the job's limits as ``role`` (``response`` or ``checker``), set them and go on with that role's job.

    ``link`` is the other side's socket, or -1; ``user`` the user id to become, or 0 to stay who one is.
    """
    for name in AHEAD:
        importlib.import_module(name)
    work = importlib.import_module(f"curate.verifiers.sandbox.{role}")
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)  # the capabilities go with it
    os.chdir("/tmp")  # noqa: S108 (a tmpfs of its own)
    send(control, {"ready": True})
    _limit(receive(control))
    work.main(control, link)


def _limit(limits: dict[str, Any]) -> None:
    """Set limits that can't be raised again: ``memory`` in bytes, ``seconds`` of the processor."""
    for what, most in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_CPU, limits["seconds"]),
        (resource.RLIMIT_FSIZE, FILE),
        (resource.RLIMIT_NPROC, TASKS),
        (resource.RLIMIT_NOFILE, FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))
