"""Build the bubblewrap command line of a sandbox: its namespaces, the files it sees, its environment and its user."""

import functools
import os
import random
import subprocess
import sys
from pathlib import Path

from curate.verifiers.sandbox.inner_modules import STARTUP

TMP = 64 << 20  # bytes that a program may write
# User ids from NOBODY to NOBODY + NOBODIES belong to no user (systemd's uids-gids.md). Each sandbox takes one at
# random.
NOBODY, NOBODIES = 0x70000000, 0x0FFFFFFF


def sandbox_command(seccomp_fd: int, control_fd: int, link_fd: int, role: str) -> list[str]:
    """Return the command that starts one sandbox.

    Args:
        seccomp_fd: Descriptor from which bwrap reads the filter of system calls.
        control_fd: The sandbox's end of its channel to the parent.
        link_fd: The sandbox's end of the socket between response and checker, or -1.
        role: ``response`` or ``checker``.
    """
    user = NOBODY + random.randrange(NOBODIES) if _can_change_user() else 0  # noqa: S311 (no secret)
    program = [str(interpreter()), "-P", "-s", "-B", "-c", STARTUP, str(control_fd), str(link_fd), str(user), role]
    return [*_options(), "--seccomp", str(seccomp_fd), "--", *program]


def interpreter() -> Path:
    """Return the path of the Python interpreter itself, not of a virtual environment's link to it."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


@functools.cache
def _options() -> tuple[str, ...]:
    """Return ``bwrap`` and its options, which are the same for every sandbox."""
    library = Path(os.__file__).resolve().parent
    command = ["ldd", str(interpreter())]
    listed = subprocess.run(command, capture_output=True, text=True).stdout.split()  # noqa: S603
    shared = [Path(word) for word in listed if word.startswith("/")]
    return ("bwrap", *_namespaces(), *_files(library, shared), *_environment(shared))


def _namespaces() -> list[str]:
    # ``entrance.py`` gives the capabilities up; the first is for the limit on the number of files.
    user = ["--cap-add", "CAP_SYS_ADMIN"]
    if _can_change_user():
        user += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        user += ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    spaces = ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
    session = ["--hostname", "sandbox", "--new-session", "--die-with-parent", "--clearenv"]
    return ["--cap-drop", "ALL", *user, *spaces, *session]


def _files(library: Path, shared: list[Path]) -> list[str]:
    """Options that bind the interpreter, its library and its shared objects, read-only, and an empty /tmp."""
    options: list[str] = []
    folders = {path.parent for path in shared} | {library}
    bound = [interpreter(), *(path for path in folders if not folders & set(path.parents))]
    above = {parent for path in (*bound, Path("/dev/null")) for parent in path.parents}
    for path in sorted(above - {Path("/")}):  # bwrap would make some of them for root alone
        options += ["--perms", "0755", "--dir", str(path)]
    for path in sorted(bound):
        options += ["--ro-bind", str(path.resolve()), str(path)]
    for name in ("site-packages", "dist-packages"):
        if (library / name).is_dir():
            hidden = str(library / name)
            options += ["--size", "4096", "--perms", "0555", "--tmpfs", hidden, "--remount-ro", hidden]
    for device in ("null", "zero", "random", "urandom"):
        options += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    options += ["--symlink", "/tmp/.stdin", "/dev/stdin"]  # noqa: S108 (``response.py`` writes a program's input there)
    return [*options, "--perms", "1777", "--size", str(TMP), "--tmpfs", "/tmp", "--remount-ro", "/"]  # noqa: S108


def _environment(shared: list[Path]) -> list[str]:
    """Options that set the environment: sets have one order, for the same outcome each time, and malloc one heap.

    Each thread's own heap would use up the limit of memory.
    """
    libpython = ":".join(str(path.parent) for path in shared if path.name.startswith("libpython"))
    settings = {
        "PYTHONHASHSEED": "0",
        "MALLOC_ARENA_MAX": "1",
        "HOME": "/tmp",  # noqa: S108
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "LD_LIBRARY_PATH": libpython,
    }
    return [word for name, value in settings.items() for word in ("--setenv", name, value)]


@functools.cache
def _can_change_user() -> bool:
    """Return whether this process is a root that may take an unused user id; a container's root may have none."""
    if os.geteuid() != 0:
        return False
    rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    status = Path("/proc/self/status").read_text()
    capable = int(status.partition("CapEff:")[2].split()[0], 16) >> 21 & 1  # CAP_SYS_ADMIN
    return bool(capable) and any(int(r[0]) <= NOBODY and int(r[0]) + int(r[2]) > NOBODY + NOBODIES for r in rows)
