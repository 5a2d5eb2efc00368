"""Start a sandbox and exchange messages with it: one Python process in its own namespaces (bubblewrap), used once.

It sees no network, no file of the host's but the standard library and the C libraries beside it (read-only), no other
process, an empty environment and a small tmpfs. It can't start a process (``seccomp.py``), and has limits on
memory, processor time, threads, files, open files and their size (``entrance.py``). It dies with the process that
started it, kill -9 included. If started by root it runs under an unused user id, else in a user namespace.
"""

import contextlib
import functools
import json
import os
import platform
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
from curate.verifiers.sandbox.bwrap_command import sandbox_command
from curate.verifiers.sandbox.inner_modules import compiled_modules
from curate.verifiers.sandbox.values import MAX_FRAME
from schemas.errors import UserError

FORMAT = 4  # of requests and replies, and of how tests are run: a change that can change an outcome needs a new number
INSTALL = "on Debian or Ubuntu: apt install bubblewrap"


class Ended(Exception):
    """The process in the sandbox has ended, or has sent what no honest process sends."""


def identity() -> str:
    """Return what decides a program's outcome, apart from the program and its limits: the Python and ``FORMAT``."""
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
        lines = sandbox.kill(wait=True).strip().splitlines()
        raise UserError(
            f"running code needs bubblewrap (bwrap), which can't start a sandbox here: "
            f"{lines[0][:200] if lines else 'it gives no reason'}; it needs user namespaces (sysctl "
            f"kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0) or root "
            f"with CAP_SYS_ADMIN"
        ) from error
    sandbox.kill()


class Sandbox:
    """A started sandbox that waits for its job.

    Attributes:
        control: This side's end of the channel to the sandbox.
        process: The bwrap process; the program is its grandchild.
        output: The pipe that holds what the program prints.
        received: Bytes that have arrived and are not yet taken as messages.
        pid: Process id of the program, once ``times`` has looked it up.
        ready: Whether anything has arrived from the sandbox, so that its start is complete.
    """

    def __init__(self, role: str, link: socket.socket | None = None, stderr: int = subprocess.DEVNULL) -> None:
        """Start it.

        Args:
            role: ``response`` or ``checker``.
            link: This sandbox's end of the socket between response and checker, if it has one.
            stderr: Where bwrap's messages go, as for ``subprocess.Popen``.
        """
        self.control, inner_control = socket.socketpair()
        filter_fd, filter_input = os.pipe()
        os.write(filter_input, seccomp.program())
        os.close(filter_input)
        control_fd, link_fd = inner_control.fileno(), link.fileno() if link else -1
        try:
            self.process = subprocess.Popen(  # noqa: S603 (a list, no shell)
                sandbox_command(filter_fd, control_fd, link_fd, role),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=[control_fd, filter_fd, *([link_fd] if link else [])],
                env={"PATH": os.environ.get("PATH", os.defpath)},
                start_new_session=True,
                bufsize=0,
            )
        finally:
            inner_control.close()
            os.close(filter_fd)
        assert self.process.stdout is not None  # a pipe
        self.output = self.process.stdout
        self.received = bytearray()
        self.pid: int | None = None
        self.ready = False
        self.control.setblocking(True)
        with contextlib.suppress(OSError):
            self.control.sendall(compiled_modules())

    @property
    def running(self) -> bool:
        """Whether its process has not ended: it waits for its job, or works."""
        return self.process.poll() is None

    def send(self, message: dict[str, Any], seconds: float) -> None:
        """Send a message of any size. Raises ``Ended`` if it is not read within ``seconds``."""
        data = json.dumps(message).encode()
        self.control.settimeout(seconds)
        try:
            self.control.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise Ended from error

    def next_message(self) -> dict[str, Any] | None:
        """Return the next message that has arrived whole, or None. Raises ``Ended`` for bytes that are no message."""
        size = int.from_bytes(self.received[:4], "big")
        if size > MAX_FRAME:
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
        """Read what arrives on the control channel into ``received``.

        Raises:
            Ended: At the end of the channel.
            TimeoutError: If nothing arrives within the timeout set on ``control``.
        """
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
        while (message := self.next_message()) is None:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self.control.settimeout(left)
            self.read()
        return message

    def times(self) -> tuple[float, float]:
        """Return the seconds its program has computed, and the seconds it was ready to run but had no processor."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            if self.pid is None:
                inner = _children(self.process.pid)[0]
                self.pid = _children(inner)[0]
            tasks = [file.read_text().split() for file in Path(f"/proc/{self.pid}/task").glob("*/schedstat")]
            # utime and stime of the process, which include those of threads that have ended
            used = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
            return sum(map(int, used)) / os.sysconf("SC_CLK_TCK"), max((int(t[1]) for t in tasks), default=0) / 1e9
        return 0.0, 0.0

    def terminate(self) -> None:
        """Kill it without waiting for its end; any thread may call this. One that is still starting is left alone.

        In its first moments bwrap's child would survive bwrap.
        """
        if self.ready:
            self.process.kill()

    def kill(self, wait: bool = False) -> str:
        """Kill it, and return what bwrap wrote to a piped stderr once nothing of the sandbox runs any more.

        Args:
            wait: Give a sandbox that is ending two seconds to do so by itself, so that it can say why.
        """
        if wait:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(2)
        if not self.ready:
            select.select([self.control], [], [], 5)
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)  # a sandbox that waits for its job ends by itself
        self.process.kill()
        self.process.wait()
        # Its process dies with bwrap, a moment later: the kernel then closes the channel's other end.
        self.control.settimeout(10)
        with contextlib.suppress(OSError):
            while self.control.recv(1 << 18):
                pass
        self.control.close()
        errors = self.process.stderr.read().decode("utf-8", "replace") if self.process.stderr else ""
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()
        return errors

    def status(self) -> str:
        """Return how it ended: a signal's name, or its exit status."""
        try:
            code = self.process.wait(1)
        except subprocess.TimeoutExpired:
            return "it runs"
        number = code - 128 if code > 128 else -code if code < 0 else 0
        return signal.Signals(number).name if number in set(signal.Signals) else f"exit status {code}"


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
