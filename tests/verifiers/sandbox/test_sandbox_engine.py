"""The engine that runs programs in sandboxes: its replies, its end, and that no process outlives it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from curate.models.clients.sandbox import SandboxEngine
from curate.models.engine_settings import check_task
from schemas.errors import UserError
from tests.asking import Asked
from tests.sandboxed import SHARED, checks, stdio
from tests.verifiers.sandbox.programs import REF, ROOT, children, code_request

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed")]
SLOW = {"how": "checks", "setup": "", "tests": ["f()"]}


def marked(marker):
    """The processes of this machine that have a text on their command line or in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def below(pid):
    """The processes that descend from one, as other sandboxes may run on this machine."""
    try:
        own = {int(word) for file in Path(f"/proc/{pid}/task").glob("*/children") for word in file.read_text().split()}
    except OSError:  # it has ended meanwhile
        return set()
    return own.union(*map(below, own))


def test_no_process_stays_behind():
    SHARED.close()
    before = children()
    code = (
        "import os, threading, time\nthreading.Thread(target=time.sleep, args=(999,)).start()\ndef f(x):\n"
        "    try: os.fork()\n    except OSError: pass\n    os.setsid()\n    return 2"
    )
    checks(code)
    stdio("import os\ntry:\n    if os.fork() == 0: os.setsid()\nexcept OSError: print('no')", ("", "no"))
    SHARED.close()
    assert children() == before


DRIVER = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever this test was started under
import json, sys
from schemas.requests import Sampling, make_request
from curate.models.clients.sandbox import SandboxEngine
asks = [{"kind": "code", "code": "import time\\ndef f():\\n    while True: pass", "seconds": 60, "total": 100 + n,
         "memory": 256, "tests": {"how": "checks", "setup": "", "tests": ["f()"]}} for n in range(4)]
groups = iter([[make_request("s", json.dumps(ask), None, Sampling(), 0, "run")] for ask in asks])
engine = SandboxEngine()
try:
    engine.answer(lambda: next(groups, None), lambda replies, spent: None)
finally:
    engine.close()
"""


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGKILL])
def test_no_sandbox_outlives_who_started_it(sign):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER], cwd=ROOT, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        until = time.monotonic() + 20
        while len(started := below(driver.pid) & set(marked(b"sandbox.entrance"))) < 6 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(started) >= 6, "the sandboxes run"
        time.sleep(0.3)
        started |= below(driver.pid)
        os.kill(driver.pid, sign)
        driver.wait(10)
        until = time.monotonic() + 5
        while started & set(marked(b"sandbox.entrance")) and time.monotonic() < until:
            time.sleep(0.05)
        assert not started & set(marked(b"sandbox.entrance"))
    finally:
        driver.kill()
        driver.wait()


@pytest.mark.slow
def test_replies_come_one_by_one_and_only_taken_programs_start():
    fast = [
        code_request("def f(x): return 2", {"how": "checks", "setup": "", "tests": [f"assert f({n}) == 2"]})
        for n in range(8)
    ]
    slow = code_request("import time\ndef f(): time.sleep(1.2)", SLOW)
    engine = SandboxEngine()
    try:
        replies = Asked([[one] for one in [slow, *fast]], in_flight=4).by(engine)
        again = Asked([[one] for one in fast]).by(engine)
    finally:
        engine.close()
        engine.close()
    assert list(replies)[0] != slow.key and len(replies) == 9
    assert all(
        json.loads(reply.text or "") == {"tests": [["0", None]]} for reply in [*replies.values(), *again.values()]
    )


@pytest.mark.slow
def test_an_interrupted_engine_leaves_nothing_and_can_go_on():
    engine = SandboxEngine()
    before = children()
    slow = [code_request("import time\ndef f(): time.sleep(60)", SLOW, seconds=30, total=60 + n) for n in range(4)]
    fast = code_request("def f(): return 2", SLOW)
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            engine.answer(*interrupted([fast, *slow]))
        assert time.monotonic() - began < 15
        assert list(Asked([[fast]]).by(engine)) == [fast.key]
    finally:
        engine.close()
    assert children() == before


def interrupted(requests):
    asked = Asked([[one] for one in requests], stop_after=1)
    return asked.take, asked.give


def test_a_warm_sandbox_that_was_killed_meanwhile_is_replaced():
    engine = SandboxEngine()
    fast = [code_request("def f(): return 2", SLOW, total=20 + n) for n in range(6)]
    try:
        Asked([[one] for one in fast[:4]]).by(engine)
        killed = [one for spares in engine.all_spares for ready in spares.ready.values() for one in ready]
        for one in killed:
            one.process.kill()
            one.process.wait()
        assert killed and all(reply.error is None for reply in Asked([[one] for one in fast[4:]]).by(engine).values())
    finally:
        engine.close()


@pytest.mark.slow
def test_without_bubblewrap_it_is_refused_in_one_line(tmp_path):
    (tmp_path / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2\nexit 1\n")
    (tmp_path / "bwrap").chmod(0o755)
    for path, message in (
        (str(tmp_path / "none"), "apt install bubblewrap"),
        (f"{tmp_path}:{os.environ['PATH']}", "No permissions to create a new"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", DRIVER], cwd=ROOT, env=os.environ | {"PATH": path}, capture_output=True, text=True
        )
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode and "running code needs bubblewrap (bwrap)" in last and message in last
    check_task(REF, "run", "r.yaml:1")
    with pytest.raises(UserError, match="can't do this"):
        check_task(REF, "reward", "r.yaml:1")


def test_threads_of_many_engines_do_not_mix_up_programs():
    found = {}

    def one(number):
        found[number] = checks(f"def f(x): return x + {number}", [f"assert f(1) == {number + 1}", "assert f(1) == 99"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [None, "AssertionError"] for number in range(4)}
