"""Runs lm-evaluation-harness as a process: starts it, says whether it runs, why it failed, and ends it.

It runs below ``guard.py``, which ends it and its children also when this process is killed.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from curate.models.clients.vllm_server.server import GUARD, telling

GRACE = 3  # seconds that it has to end by itself
# What libraries say where data cannot be downloaded: the hub's, datasets', requests', aiohttp's, NLTK's.
NO_DATA = re.compile(
    r"Couldn't (?:reach|find)|ConnectionError|OfflineMode|offline mode|HF_HUB_OFFLINE|LocalEntryNotFound|"
    r"Name or service not known|name resolution|Max retries exceeded|NewConnectionError|ConnectError|ProxyError|"
    r"DatasetNotFound|GatedRepo|RepositoryNotFound|RemoteDisconnected|Network is unreachable|Cannot connect|"
    r"cannot find the requested files|Resource punkt|nltk\.download|nltk_data|URLError|HTTPError|"
    r"FileNotFoundError|DataFilesNotFound",
    re.IGNORECASE,
)
MOST_READ = 1 << 20  # bytes of a log that are read


class HarnessProcess:
    """A run of the harness, whose outputs go to a log. ``close`` ends it; it may be called twice."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, log: Path) -> None:
        """Start it.

        Args:
            command: The command, as a list.
            environment: Its variables.
            folder: The folder that it runs in: relative paths of a task's data are relative to it.
            log: The file of its log, which only this user can read.
        """
        self.log = log
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self.guard = subprocess.Popen(  # noqa: S603 (a list, no shell)
                [sys.executable, "-I", str(GUARD), "2", str(GRACE), *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,  # held by the guards alone: it ends when the last of them does
                stderr=out,
                env=environment,
                cwd=folder,
                start_new_session=True,  # Ctrl-C is for this process, which ends the harness
            )
        finally:
            os.close(out)

    def running(self) -> bool:
        """Return whether it still runs."""
        return self.guard.poll() is None

    def close(self) -> int:
        """End it with all its processes; return its exit status."""
        stdin, stdout = self.guard.stdin, self.guard.stdout
        if stdin is not None and not stdin.closed:
            stdin.close()
        if stdout is not None and not stdout.closed:
            stdout.read()  # until the last guard has ended
            stdout.close()
        return self.guard.wait()

    def lines(self) -> list[str]:
        """Return the lines at the end of its log that are not empty."""
        with open(self.log, "rb") as held:
            held.seek(max(0, self.log.stat().st_size - MOST_READ))
            text = held.read(MOST_READ).decode("utf-8", "replace")
        return [line for part in text.splitlines() if (line := part.rpartition("\r")[2].rstrip())]


def failure(lines: list[str]) -> tuple[str, bool]:
    """Return why a run failed, by the lines of its log, and whether data that could not be loaded are the reason."""
    reason = telling(lines)
    last = "\n".join(lines[-60:])  # the last traceback, with those that led to it
    return " ".join(reason.split())[:300], bool(NO_DATA.search(reason) or NO_DATA.search(last))
