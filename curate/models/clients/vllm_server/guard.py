"""Runs a command and ends all of its processes: ``python -I guard.py 2 8 COMMAND ARGUMENT...``.

It ends the command and all its descendants once its own standard input is closed (the kernel closes it when the process
that started the guard dies, kill -9 included), on SIGTERM, or when the command ends by itself; it exits when all are
gone. The command writes both of its outputs to this script's standard error. It is run as a script, so it imports
only the standard library.

The 2 is the number of guards, one inside the other: if one is killed, the other does the work. On Linux a guard is a
"subreaper": processes whose parent died become its children, whatever their names, groups and sessions, so it finds
them all. Elsewhere it ends the command's process group. The 8 is the time of grace: the seconds between SIGTERM and
SIGKILL.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LINUX = sys.platform == "linux"
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
LAST = 2.0  # seconds after the time of grace for processes that clean up after others


def main() -> int:
    """Guard the command on the command line; return its exit status, or 128 plus the signal that it died of."""
    guards, grace, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
    outer = guards > 1
    if outer:
        command = [sys.executable, "-I", str(Path(__file__).resolve()), str(guards - 1), str(grace), *command]
    prctl = ctypes.CDLL(None).prctl if LINUX else lambda option, value: 0
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    parent, signalled, woken = os.getppid(), [], _wakeups()
    for sign in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(sign, lambda *_: signalled.append(True))
    child = subprocess.Popen(  # noqa: S603 (a list, no shell)
        command,
        stdin=subprocess.PIPE if outer else subprocess.DEVNULL,
        stdout=None if outer else sys.stderr,
        start_new_session=True,
        # Should all guards die at once, the kernel still kills the command itself.
        preexec_fn=None if outer else lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    ended: dict[int, int] = {}
    # A fork of the process that started the guard may hold the pipe open; that its parent died shows in the id too.
    while child.pid not in ended and not signalled and os.getppid() == parent:
        ready, _, _ = select.select([0, woken], [], [], 1.0)
        if 0 in ready and not os.read(0, 512):
            break
        if woken in ready:
            os.read(woken, 512)
        _reap(ended)
    if child.stdin:  # the inner guard ends the command, unless it was killed itself
        child.stdin.close()
        _wait(lambda: child.pid in ended, grace + 2 * LAST, ended)
    _end_all(child.pid, grace, ended)
    code = os.waitstatus_to_exitcode(ended.get(child.pid, 0))
    return code if code >= 0 else 128 - code


def _wakeups() -> int:
    """Return a file descriptor that has something to read after every signal, so that ``select`` misses none."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def _reap(ended: dict[int, int]) -> None:
    """Record the children that have ended, adopted ones too: process id -> wait status."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            ended[pid] = status


def _wait(until: Callable[[], bool], seconds: float, ended: dict[int, int]) -> None:
    """Reap until a condition holds or the time is up."""
    latest = time.monotonic() + seconds
    while not until() and time.monotonic() < latest:
        time.sleep(0.02)
        _reap(ended)


def _end_all(child: int, grace: float, ended: dict[int, int]) -> None:
    """End the command and all its descendants; return when none of them runs any more.

    Python's own resource trackers ignore SIGTERM and remove the shared memory of processes that were killed before
    they could, so they are killed last.
    """
    asked: set[int] = set()
    began = time.monotonic()
    while True:
        _reap(ended)
        living = _descendants() if LINUX else _group(child)
        if not living:
            return
        since = time.monotonic() - began
        for pid in living:
            if since > grace + LAST or (since > grace and b"resource_tracker" not in _command(pid)):
                _signal(pid, signal.SIGKILL)
            elif pid not in asked:
                asked.add(pid)
                _signal(pid, signal.SIGTERM)
        time.sleep(0.02)


def _descendants() -> list[int]:
    """Return this process's descendants that still run (those that ended and wait to be reaped do not)."""
    children: dict[int, list[tuple[int, str]]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in brackets, may hold anything: brackets and spaces too.
                state, parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
                children.setdefault(int(parent), []).append((int(folder.name), state))
    found, unvisited = [], [os.getpid()]
    while unvisited:
        for pid, state in children.get(unvisited.pop(), ()):
            unvisited.append(pid)
            if state not in "ZX":
                found.append(pid)
    return found


def _group(child: int) -> list[int]:
    """Return the command's process group (as a negative number), if a process is left in it."""
    try:
        os.killpg(child, 0)
    except OSError:
        return []
    return [-child]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _signal(pid: int, sign: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, sign)


if __name__ == "__main__":
    sys.exit(main())
