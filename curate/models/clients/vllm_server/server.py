"""Runs a vLLM server as a process: starts it, waits for it, reports its death, and ends it with all its children.

The server runs below ``guard.py``, which ends it also when this process is killed.
"""

import atexit
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from schemas.errors import UserError
from schemas.progress import Progress

GUARD = Path(__file__).with_name("guard.py")
GRACE = 8  # seconds that the server has to end by itself
SHOWN = 15  # lines of its log
# The prefix of a line in vLLM's log: the process, the level, the time, the place in the code.
PREFIX = re.compile(r"^(?:\([^()]{1,80}\) )?(?:(?:INFO|WARNING|ERROR|CRITICAL) [\d: -]{1,30}\[[^\]]{1,80}\] ?)?")
RAISED = re.compile(r"^[\w.]{0,200}(?:Error|Exception): \S")
POINTS_ELSEWHERE = re.compile(r"EngineDeadError|initialization failed|root cause above")


class Server:
    """A server on loopback, on a free port. Nothing of it is left after ``close``, which may be called twice."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        """Start the server; its outputs go to a log that only this user can read.

        Args:
            name: The model's name.
            command: The command that starts the server, without the port.
            environment: The server's environment, with its key in ``VLLM_API_KEY``.
        """
        self.name, self.key = name, environment["VLLM_API_KEY"]
        self.keep_log = False
        self.folder = Path(tempfile.mkdtemp(prefix="gristmill-vllm-"))
        self.log = self.folder / "vllm.log"
        self.port = _free_port()
        # vLLM leaves sockets and other files behind, which are removed with the folder.
        temporary = self.folder / "tmp"
        temporary.mkdir()
        # Close-on-exec, and no thread of ours is between open and start: nobody else inherits the log.
        out = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.guard = subprocess.Popen(  # noqa: S603 (a list, no shell)
                [sys.executable, "-I", str(GUARD), "2", str(GRACE), *command, "--port", str(self.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # held by the guards alone: it ends when the last of them does
                stderr=out,
                env={**environment, "TMPDIR": str(temporary)},
                start_new_session=True,  # Ctrl-C is for this process, which ends the server
            )
        finally:
            os.close(out)
        atexit.register(self.close)

    @property
    def url(self) -> str:
        """The address that it listens at."""
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Return whether the server's guard still runs."""
        return self.guard.poll() is None

    def wait_until_ready(self, seconds: float, progress: Progress) -> None:
        """Return when it answers. Raises ``UserError`` if it has died, or does not answer within ``seconds``."""
        began = time.monotonic()
        while not self._answers():
            if not self.alive():
                raise self.died("vLLM did not start", progress)
            waited = time.monotonic() - began
            if waited > seconds:
                raise self.died(f"vLLM was not ready after {seconds:g} s (start_timeout)", progress)
            progress.advance(0, f"vLLM is starting, {waited:.0f} s")
            time.sleep(0.3)

    def died(self, what: str, progress: Progress) -> UserError:
        """Show the last lines of the log, which is kept; return the error that quotes the line which says most."""
        self.keep_log = True
        self.close()
        lines = [line for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        for line in lines[-SHOWN:]:
            progress.say(f"  vLLM: {line[:300]}")
        return UserError(f"models.{self.name}: {what}: {telling(lines)[:500]} (its log: {self.log})")

    def close(self) -> None:
        """End the server; return when all of its processes are gone, and their memory is free."""
        atexit.unregister(self.close)
        stdin, stdout = self.guard.stdin, self.guard.stdout
        if stdin is not None:
            stdin.close()
        if stdout is not None and not stdout.closed:
            stdout.read()  # until the last guard has ended
            stdout.close()
        self.guard.wait()
        shutil.rmtree(self.folder / "tmp" if self.keep_log else self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        """Return whether the server is healthy, and ours: another may have taken the port meanwhile."""
        with contextlib.suppress(OSError, ValueError, urllib.error.URLError):
            self._get("/health")
            return any(model["id"] == self.name for model in json.loads(self._get("/v1/models"))["data"])
        return False

    def _get(self, path: str) -> bytes:
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.key}"})  # noqa: S310
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # no proxy for loopback
        with direct.open(request, timeout=10) as answer:
            return answer.read()


def telling(lines: list[str]) -> str:
    """Return the line of a log that best says why: the last error that does not merely point to another."""
    bare = [PREFIX.sub("", line[:2000]).strip() for line in lines]
    raised = [line for line in bare if RAISED.match(line)]
    first_hand = [line for line in raised if not POINTS_ELSEWHERE.search(line)]
    named = [line for line in bare if re.search(r"\berror\b|\bkilled\b", line, re.IGNORECASE)]
    return next((lines[-1] for lines in (first_hand, raised, named, bare) if lines), "its log is empty")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
