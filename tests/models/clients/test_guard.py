"""A guarded command leaves no process behind, whoever dies of what. All processes here are real."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
GUARD = Path(__file__).parents[3] / "curate" / "models" / "clients" / "vllm_server" / "guard.py"
GRACE = "1"  # seconds
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a guard adopt orphans")
# A server like vLLM's: a child in the same group and a grandchild in a session of its own, all deaf to SIGTERM. The
# child's parent ends at once, so that it is an orphan. Each writes its process id into a file of its own.
SERVER = """
import os, signal, sys, time
folder, how = sys.argv[1:]
def live(name):
    with open(f"{folder}/.{name}", "w") as file:
        file.write(str(os.getpid()))
    os.rename(f"{folder}/.{name}", f"{folder}/{name}")
    while True:
        time.sleep(0.05)
        if name == "server" and how == "dies" and len(os.listdir(folder)) == 3:
            print("ValueError: no such model", flush=True)
            os._exit(3)
if how != "polite":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
            live("grandchild")
        live("child")
    os._exit(0)
live("server")
"""
# A gristmill: it starts the guard, says so, and goes on with something else. A fork of it holds the pipe as well.
STARTER = """
import os, subprocess, sys, time
guard = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, start_new_session=True)
if os.fork() == 0:
    time.sleep(4)
    os._exit(0)
print(guard.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path):
    """Where the processes of one test write their ids; ends those that a failed test left."""
    yield tmp_path
    for pid in (int(p.read_text()) for p in tmp_path.iterdir() if not p.name.startswith(".")):
        if runs(pid):
            os.kill(pid, signal.SIGKILL)


def command(folder, how):
    return [sys.executable, "-I", str(GUARD), "2", GRACE, sys.executable, "-c", SERVER, str(folder), how]


def guarded(folder, how):
    """A guard in a session of its own, and the server's processes by name."""
    guard = subprocess.Popen(
        command(folder, how), stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    return guard, pids(folder)


def pids(folder):
    names = {"server", "child", "grandchild"}
    wait_until(lambda: {p.name for p in folder.iterdir()} >= names)
    return {name: int((folder / name).read_text()) for name in names}


def wait_until(holds, seconds=20.0):
    latest = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < latest, "this never came to hold"
        time.sleep(0.02)


def runs(pid):
    """True if a process is there and not merely waiting to be reaped (by a test machine's first process)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def child_of(pid):
    """The one child of a process: the inner guard."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rpartition(")")[2].split()[1] == str(pid):
                return int(stat.parent.name)
        except OSError:
            continue
    raise AssertionError(f"{pid} has no child")


def no_one_of(processes, seconds=20.0):
    wait_until(lambda: not any(runs(pid) for pid in processes.values()), seconds)


@LINUX
@pytest.mark.parametrize("how", ["polite", "deaf"])
def test_closing_the_pipe_ends_all_before_the_guard_ends(folder, how):
    guard, processes = guarded(folder, how)
    assert all(runs(pid) for pid in processes.values())
    began = time.monotonic()
    guard.stdin.close()
    assert guard.wait(30) == 128 + (signal.SIGTERM if how == "polite" else signal.SIGKILL)
    assert not any(runs(pid) for pid in processes.values())
    took = time.monotonic() - began
    assert took < 0.9 if how == "polite" else 1 < took < 5, "SIGKILL comes after a time of grace, not before"


@LINUX
def test_whoever_starts_a_guard_may_be_killed(folder):
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, *command(folder, "polite")], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout
    processes = pids(folder) | {"guard": int(starter.stdout.readline())}
    os.kill(starter.pid, signal.SIGKILL)
    starter.wait()
    no_one_of(processes, 3.5)  # the starter's fork, which holds the pipe, still lives


@LINUX
@pytest.mark.parametrize("which", ["outer", "inner"])
def test_a_guard_may_be_killed(folder, which):
    guard, processes = guarded(folder, "deaf")
    os.kill(guard.pid if which == "outer" else child_of(guard.pid), signal.SIGKILL)
    no_one_of(processes)
    guard.wait(20)


@LINUX
def test_both_guards_may_be_killed_at_once_and_the_server_dies(folder):
    guard, processes = guarded(folder, "deaf")
    inner = child_of(guard.pid)
    os.kill(guard.pid, signal.SIGSTOP)  # neither can act between the two
    os.kill(inner, signal.SIGKILL)
    os.kill(guard.pid, signal.SIGKILL)
    wait_until(lambda: not runs(processes["server"]), 5)


@LINUX
def test_sigterm_to_the_guard_ends_all(folder):
    guard, processes = guarded(folder, "polite")
    guard.terminate()
    guard.wait(10)
    assert not any(runs(pid) for pid in processes.values())


@LINUX
def test_a_dead_servers_children_end_and_its_output_gets_through(folder):
    guard, processes = guarded(folder, "dies")
    assert guard.wait(30) == 3
    assert guard.stderr.read() == "ValueError: no such model\n"
    assert not any(runs(pid) for pid in processes.values())


def test_a_command_that_ends_well_ends_well():
    guard = subprocess.Popen(
        [sys.executable, "-I", str(GUARD), "2", GRACE, sys.executable, "-c", "print(6 * 7)"],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert guard.stderr
    assert (guard.wait(20), guard.stderr.read()) == (0, "42\n")
