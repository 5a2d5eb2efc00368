"""The first code that runs inside a sandbox: drops every privilege, sets the limits, then starts the job. Stdlib only.

Nothing hostile has run in the process before it calls the job.
"""

import importlib
import os
import resource
from typing import Any

from curate.verifiers.sandbox.values import receive, send

# Modules that nearly every program imports: imported ahead, while the sandbox waits.
PRELOADED = (
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
MAX_FILE_BYTES, MAX_THREADS, MAX_OPEN_FILES = 16 << 20, 64, 64


def main(control: int, link: int, user: int, role: str) -> None:
    """Wait for the job's limits, set them, then run the job of this role.

    Args:
        control: Descriptor of the channel to the parent.
        link: Descriptor of the socket to the other sandbox, or -1.
        user: User id to change to, or 0 to keep the present one.
        role: ``response`` or ``checker``, the module that does the job.
    """
    for name in PRELOADED:
        importlib.import_module(name)
    work = importlib.import_module(f"curate.verifiers.sandbox.{role}")
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)  # this drops the capabilities too
    os.chdir("/tmp")  # noqa: S108 (a tmpfs of its own)
    send(control, {"ready": True})
    _limit(receive(control))
    work.main(control, link)


def _limit(limits: dict[str, Any]) -> None:
    """Set limits that can't be raised again: ``memory`` in bytes, ``seconds`` of processor time."""
    for resource_id, most in (
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_CPU, limits["seconds"]),
        (resource.RLIMIT_FSIZE, MAX_FILE_BYTES),
        (resource.RLIMIT_NPROC, MAX_THREADS),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        hard = resource.getrlimit(resource_id)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource_id, (most, most))
