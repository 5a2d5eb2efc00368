"""The first code that runs inside a sandbox: drops every privilege, sets the limits, then starts the job. Stdlib only.

Nothing hostile has run in the process before it calls the job.
"""

import ctypes
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
MAX_FILES = (
    4096  # files, folders and links in /tmp: each takes 1 KB of the kernel's memory, which no other limit counts
)
REMOUNT = 32 | 2 | 4  # linux/mount.h: MS_REMOUNT, MS_NOSUID, MS_NODEV, as bwrap has mounted it
CAPABILITY_VERSION = 0x20080522  # linux/capability.h


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
    libc = ctypes.CDLL(None, use_errno=True)
    _limit_files(libc)
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    _drop_capabilities(libc)
    os.chdir("/tmp")  # noqa: S108 (a tmpfs of its own)
    send(control, {"ready": True})
    _limit(receive(control))
    work.main(control, link)


def _limit_files(libc: ctypes.CDLL) -> None:
    """Limit the number of files in /tmp, for which bwrap has no option; end the process if that can't be done."""
    options = f"nr_inodes={MAX_FILES}".encode()
    if libc.mount(b"tmpfs", b"/tmp", b"tmpfs", ctypes.c_ulong(REMOUNT), options):  # noqa: S108 (a tmpfs of its own)
        _refuse(f"the number of files can't be limited: {os.strerror(ctypes.get_errno())}")


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Give up every capability for good; end the process if that can't be done."""
    header, none = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        _refuse(f"the rights can't be dropped: {os.strerror(ctypes.get_errno())}")


def _refuse(why: str) -> None:
    os.write(2, f"{why}\n".encode())
    os._exit(3)


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
