"""A cluster of Ray with two workers, for tests, and the processes that it has."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tests.command import ROOT


@contextmanager
def cluster() -> Generator[str]:
    """Run a cluster on this machine; yield its address. Its token is in this process's environment meanwhile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tempfile.mkdtemp(prefix="gristmill-test-ray-", dir="/tmp")  # sockets' paths are short
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-P", "-c", "from ray.scripts.scripts import main; main()", "start", "--head", "--block"]
    options = ["--num-cpus=2", f"--port={port}", "--node-ip-address=127.0.0.1", f"--temp-dir={folder}"]
    with open(Path(folder) / "out", "wb") as out:
        head = subprocess.Popen(
            [*command, *options, "--include-dashboard=false", "--object-store-memory=100000000"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONSAFEPATH": "1"},
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        _wait_for(port, head, Path(folder) / "out")
        yield f"127.0.0.1:{port}"
    finally:
        below = descendants(head.pid)
        head.terminate()
        try:
            head.wait(20)
        except subprocess.TimeoutExpired:
            head.kill()
            head.wait()
        for process in living(below):
            os.kill(process, signal.SIGKILL)
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_USAGE_STATS_ENABLED"):
            os.environ.pop(name, None)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, head: subprocess.Popen, out: Path) -> None:
    for _ in range(600):
        assert head.poll() is None, out.read_text()
        if "--block" in out.read_text():  # "this command will now block"
            return
        time.sleep(0.1)
    raise AssertionError(out.read_text())


def descendants(process: int) -> set[int]:
    """Return the processes that a process started, and those that they did."""
    below: dict[int, set[int]] = {}
    for line in subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True).stdout.splitlines():
        pid, parent = map(int, line.split())
        below.setdefault(parent, set()).add(pid)
    found, todo = set(), {process}
    while todo:
        todo = set().union(*(below.get(one, set()) for one in todo)) - found
        found |= todo
    return found


def living(processes: set[int]) -> set[int]:
    """Return those processes that go on; one that ended and waits to be noticed does not."""
    shown = subprocess.run(["ps", "-eo", "pid=,stat="], capture_output=True, text=True).stdout
    alive = {int(line.split()[0]) for line in shown.splitlines() if "Z" not in line.split()[1]}
    return processes & alive


def busy_workers() -> list[int]:
    """Return Ray's workers that make a call of ours."""
    shown = subprocess.run(["ps", "-eo", "pid=,args="], capture_output=True, text=True).stdout
    return [int(line.split()[0]) for line in shown.splitlines() if line.split()[1:2] == ["ray::made_on_node"]]
