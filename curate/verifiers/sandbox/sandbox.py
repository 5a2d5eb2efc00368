"""A sandbox: one Python process in namespaces of its own (bubblewrap), used for one program and thrown away.

It sees no network, no file of the host's but the standard library and the C libraries beside it (read-only), no other
process, an empty environment and a small tmpfs. It can't start a process (``seccomp.py``), and has limits on
memory, processor time, threads, open files and their size (``entrance.py``). It dies with the process that
started it, kill -9 included. Started as root it runs as a user that nothing belongs to, else in a user namespace.
"""

import contextlib
import functools
import json
import marshal
import os
import platform
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from curate.verifiers.sandbox import seccomp
from curate.verifiers.sandbox.values import MOST
from schemas.errors import UserError

FORMAT = 2  # of asks and replies, and of how tests are run: another number is another outcome
TMP = 64 << 20  # bytes that a program may write
INSTALL = "on Debian or Ubuntu: apt install bubblewrap"
# The user ids from here on belong to nobody (systemd's list of them, uids-gids.md); each sandbox takes one by chance.
NOBODY, NOBODIES = 0x70000000, 0x0FFFFFFF
INSIDE = ("values", "entrance", "pytest", "remote", "checker", "response")  # each imports only those before it
# Reads the modules above, as the compiled code that the parent sends, and starts the last but one argument's work.
STUB = """
import marshal, os, sys
fd = int(sys.argv[1])
def get(n):
    b = b''
    while len(b) < n:
        p = os.read(fd, n - len(b))
        if not p: os._exit(3)
        b += p
    return b
for name, code in marshal.loads(get(int.from_bytes(get(4), 'big'))):
    sys.modules[name] = m = type(sys)(name)
    if code is None: m.__path__ = []
    else:
        parent, _, last = name.rpartition('.')
        setattr(sys.modules[parent], last, m)
        exec(code, m.__dict__)
sys.modules['curate.verifiers.sandbox.entrance'].main(fd, int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
"""


class Ended(Exception):
    """The process in the sandbox has ended, or says what no honest one does."""


def identity() -> str:
    """What changes the outcome of a program beside itself and its limits: the Python, and how tests are run."""
    return f"sandbox-python-{platform.python_version()}-{FORMAT}"


@functools.cache
def require() -> None:
    """Raise ``UserError`` unless sandboxes can be started here."""
    if sys.platform != "linux":
        raise UserError(f"running code needs Linux with bubblewrap (bwrap); this is {sys.platform}")
    if shutil.which("bwrap") is None:
        raise UserError(f"running code needs bubblewrap (bwrap), which is not installed; {INSTALL}")
    if platform.machine() not in seccomp.AUDIT:
        raise UserError(
            f"running code needs a machine of the kind {' or '.join(seccomp.AUDIT)}; this is {platform.machine()}"
        )
    sandbox = Sandbox("response", stderr=subprocess.PIPE)
    try:
        sandbox.receive(time.monotonic() + 20)
    except (Ended, TimeoutError) as error:
        said = sandbox.kill(wait=True).strip().splitlines()
        raise UserError(
            f"running code needs bubblewrap (bwrap), which can't start a sandbox here: "
            f"{said[0][:200] if said else 'it says nothing'}; it needs user namespaces (sysctl "
            f"kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0) or root "
            f"with CAP_SYS_ADMIN"
        ) from error
    sandbox.kill()


def python() -> Path:
    """The interpreter itself, not a virtual environment's link to it."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable).resolve()


@functools.cache
def _command() -> tuple[str, ...]:
    """What starts a sandbox, up to the program."""
    library = Path(os.__file__).resolve().parent
    listed = subprocess.run(["ldd", str(python())], capture_output=True, text=True).stdout.split()  # noqa: S603, S607
    shared = [Path(word) for word in listed if word.startswith("/")]
    folders = {path.parent for path in shared} | {library}
    bound = [python(), *(path for path in folders if not folders & set(path.parents))]
    user = ["--unshare-user", "--uid", "1000", "--gid", "1000"]
    if _drops():  # the capabilities go when it becomes a nobody
        user = ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    command = [
        "bwrap",
        "--cap-drop",
        "ALL",
        *user,
        "--unshare-ipc",
        "--unshare-pid",
        "--unshare-net",
        "--unshare-uts",
        "--unshare-cgroup-try",
        "--hostname",
        "sandbox",
        "--new-session",
        "--die-with-parent",
        "--clearenv",
    ]
    above = {parent for path in (*bound, Path("/dev/null")) for parent in path.parents}
    for path in sorted(above - {Path("/")}):  # bwrap would make some of them for root alone
        command += ["--perms", "0755", "--dir", str(path)]
    for path in sorted(bound):
        command += ["--ro-bind", str(path.resolve()), str(path)]
    for name in ("site-packages", "dist-packages"):
        if (library / name).is_dir():
            command += ["--size", "4096", "--perms", "0555", "--tmpfs", str(library / name)]
    for device in ("null", "zero", "random", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    command += ["--perms", "1777", "--size", str(TMP), "--tmpfs", "/tmp", "--remount-ro", "/"]  # noqa: S108
    # Always the same order of sets, for the same outcome; one heap, as each thread's own would use up the memory.
    libpython = ":".join(str(path.parent) for path in shared if path.name.startswith("libpython"))
    for setting in (
        "PYTHONHASHSEED=0",
        "MALLOC_ARENA_MAX=1",
        "HOME=/tmp",
        "TMPDIR=/tmp",
        "LANG=C.UTF-8",
        f"LD_LIBRARY_PATH={libpython}",
    ):
        command += ["--setenv", *setting.split("=", 1)]
    return tuple(command)


@functools.cache
def _drops() -> bool:
    """Whether this is a root that may become one of the nobodies (a container's root may have no such users)."""
    if os.geteuid() != 0:
        return False
    rows = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    status = Path("/proc/self/status").read_text()
    capable = int(status.partition("CapEff:")[2].split()[0], 16) >> 21 & 1  # CAP_SYS_ADMIN
    return bool(capable) and any(int(r[0]) <= NOBODY and int(r[0]) + int(r[2]) > NOBODY + NOBODIES for r in rows)


@functools.cache
def _modules() -> bytes:
    """What runs inside, compiled: compiling it anew would take longer than all the rest of the start."""
    names = [f"curate.verifiers.sandbox.{name}" for name in INSIDE]
    code: list[tuple[str, Any]] = [("curate", None), ("curate.verifiers", None), ("curate.verifiers.sandbox", None)]
    for name in names:
        file = Path(__file__).with_name(f"{name.rpartition('.')[2]}.py")
        code.append((name, compile(file.read_bytes(), file.name, "exec", dont_inherit=True)))
    data = marshal.dumps([entry for entry in code if entry])
    return len(data).to_bytes(4, "big") + data


class Sandbox:
    """A started sandbox that waits for its job: ``role`` is ``response`` or ``checker``; ``link`` joins the two."""

    def __init__(self, role: str, link: socket.socket | None = None, stderr: int = subprocess.DEVNULL) -> None:
        self.control, theirs = socket.socketpair()
        rules, writing = os.pipe()
        os.write(writing, seccomp.program())
        os.close(writing)
        user = NOBODY + random.randrange(NOBODIES) if _drops() else 0  # noqa: S311 (to be unlike others is enough)
        passed = [theirs.fileno(), rules, *([link.fileno()] if link else [])]
        command = [
            *_command(),
            "--seccomp",
            str(rules),
            "--",
            str(python()),
            "-P",
            "-s",
            "-B",
            "-c",
            STUB,
            str(theirs.fileno()),
            str(link.fileno() if link else -1),
            str(user),
            role,
        ]
        try:
            self.process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=passed,
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
                bufsize=0,
            )
        finally:
            theirs.close()
            os.close(rules)
        self.received = bytearray()
        self.pid: int | None = None
        self.ready = False
        self.control.setblocking(True)
        with contextlib.suppress(OSError):
            self.control.sendall(_modules())

    @property
    def kept_ids(self) -> bool:
        """Whether it still waits, or works."""
        return self.process.poll() is None

    def send(self, message: dict[str, Any], seconds: float) -> None:
        """Send a message of any size. Raises ``Ended`` if it is not read within so many seconds."""
        data = json.dumps(message).encode()
        self.control.settimeout(seconds)
        try:
            self.control.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise Ended from error

    def next(self) -> dict[str, Any] | None:
        """A message that has arrived whole, or None. Raises ``Ended`` on what is none."""
        size = int.from_bytes(self.received[:4], "big")
        if size > MOST:
            raise Ended
        if len(self.received) < max(4, 4 + size):
            return None
        data = bytes(self.received[4 : 4 + size])
        del self.received[: 4 + size]
        try:
            message = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Ended from error
        if not isinstance(message, dict):
            raise Ended
        return message

    def read(self) -> None:
        """Read what arrives on the control channel. Raises ``Ended`` at its end, ``TimeoutError`` as it was set."""
        try:
            part = self.control.recv(1 << 18)
        except TimeoutError:
            raise
        except OSError:
            part = b""
        if not part:
            raise Ended
        self.received += part
        self.ready = True

    def receive(self, until: float) -> dict[str, Any]:
        """Wait for a message until a time of the monotonic clock. Raises ``Ended`` or ``TimeoutError``."""
        while (message := self.next()) is None:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.control.settimeout(left)
            self.read()
        return message

    def times(self) -> tuple[float, float]:
        """Seconds that its program has computed, and seconds that it was ready to but had no processor."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self.pid is None:
                inner = _children(self.process.pid)[0]
                self.pid = _children(inner)[0]
            tasks = [file.read_text().split() for file in Path(f"/proc/{self.pid}/task").glob("*/schedstat")]
            used = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]  # ended threads' too
            return sum(map(int, used)) / os.sysconf("SC_CLK_TCK"), max((int(t[1]) for t in tasks), default=0) / 1e9
        return 0.0, 0.0

    def end(self) -> None:
        """Have it killed, without waiting for that; any thread may. One that is still starting is left to start.

        In its first moments bwrap's child would survive bwrap.
        """
        if self.ready:
            self.process.kill()

    def kill(self, wait: bool = False) -> str:
        """End it, and return when nothing of it runs any more. ``wait`` lets one that is ending say why."""
        if wait:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
        if not self.ready:
            select.select([self.control], [], [], 5)
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)  # it ends by itself where it waits for a job
        self.process.kill()
        self.process.wait()
        # Its process dies with bwrap, a moment later: the kernel then closes the channel's other end.
        self.control.settimeout(10)
        with contextlib.suppress(OSError):
            while self.control.recv(1 << 18):
                pass
        self.control.close()
        said = self.process.stderr.read().decode("utf-8", "replace") if self.process.stderr else ""
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return said

    def status(self) -> str:
        """How it ended: a signal's name, or its exit status."""
        try:
            code = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return "it runs"
        number = code - 128 if code > 128 else -code if code < 0 else 0
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit status {code}"


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
