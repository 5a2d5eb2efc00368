"""The engine `openai` against a server that goes wrong in every way: nothing lost, nothing twice."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from curate.models.clients.http.chat import ChatEngine
from schemas.errors import UserError
from schemas.requests import Spent
from tests.models.clients.openai_desk import Desk, answered, engine, groups, refused, texts
from tests.stub_server import Stub

ROOT = Path(__file__).parents[3]


pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_waits")]


class Hasty(ChatEngine):
    """An engine that does not wait long for a server to be there."""

    PATIENCE = 0.5


FAULTS = {
    "429": {"every": 2, "retry_after": 0.05},
    "408": {"every": 3},
    "500": {"every": 2},
    "503": {"every": 3},
    "half_json": {"every": 2},
    "close": {"every": 2},
    "drop": {"every": 2},
    "hang": {"every": 6},
    "empty": {"every": 2},
    "types": {"every": 3},
    "bad_utf8": {"every": 2},
    "huge": {"every": 3},
    "choices": {"every": 3, "count": 0},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_overcome(name, undisturbed, server_with):
    with server_with(faults={name: FAULTS[name]}) as stub:
        # a short wait only where no reply comes: on a busy machine another reply may take a second
        desk = answered(stub.url, groups(n=3), timeout=1 if name in ("hang", "choices") else 30)
        stats = stub.stats()
    assert texts(desk) == undisturbed
    assert stats["faults"][name] > 0
    if name not in ("choices",):
        assert set(stats["answered"].values()) == {1}, "something was asked for again that had been answered"
    refusals = name.isdigit() and name != "408"  # nothing was written, so nothing can be billed
    assert len(desk.lost) == (0 if refusals else stats["faults"][name])
    assert all(spent.requests == 1 and spent.prompt_tokens > 0 for spent in desk.lost)


@pytest.mark.slow
def test_all_faults_at_once_are_overcome(undisturbed, server_with):
    with server_with(faults={name: how | {"every": 8} for name, how in FAULTS.items()}) as stub:
        assert texts(answered(stub.url, groups(n=3), timeout=1, retries=20)) == undisturbed
        assert len(stub.stats()["faults"]) > 10


def test_a_request_that_can_never_succeed_is_asked_once(server_with):
    with server_with(faults={"context": {"match": "prompt 7 "}, "422": {"match": "prompt 8 ", "times": 0}}) as stub:
        desk = answered(stub.url, groups(n=2))
        stats = stub.stats()
    failed = [r for r in desk.replies.values() if r.error]
    assert len(failed) == 4 and not any(r.transient for r in failed) and all(r.text is None for r in failed)
    (long,) = {r.error for r in failed if "HTTP 400" in r.error}
    assert long.startswith(f"stub-1 at {stub.url}/chat/completions: HTTP 400: This model's maximum context length is")
    assert stats["requests"] == 24


def test_a_request_that_always_fails_does_not_stop_the_rest(server_with):
    with server_with(faults={"500": {"match": "prompt 7 ", "times": 0}}) as stub:
        desk = answered(stub.url, groups(), retries=2)
        stats = stub.stats()
    (failed,) = [r for r in desk.replies.values() if r.error]
    assert failed.transient and "HTTP 500: fault 500 (3 attempts)" in failed.error
    assert stats["requests"] == 23 + 3


def test_a_server_that_always_fails_is_given_up(server_with):
    with server_with(faults={"503": {"times": 0}}) as stub:
        said, desk = refused(stub.url, groups(60), retries=0, concurrency=4)
    assert "8 requests in a row have failed" in said and "HTTP 503" in said and len(desk.replies) < 16
    assert all(r.transient for r in desk.replies.values())


@pytest.mark.parametrize(
    ("faults", "settings", "says"),
    [
        ({"401": {}}, {}, "HTTP 401: fault 401"),
        ({"429": {"code": "insufficient_quota", "message": "You exceeded your quota"}}, {}, "HTTP 429: You exceeded"),
        ({"404": {"message": "The model `stub-1` does not exist"}}, {}, "HTTP 404: The model `stub-1` does not exist"),
        ({"redirect": {"to": "http://127.0.0.1:1/steal"}}, {}, "HTTP 307 to http://127.0.0.1:1/steal; put the final"),
    ],
)
def test_what_will_not_get_better_ends_the_run_at_once(faults, settings, says, server_with):
    with server_with(faults=faults) as stub:
        said, desk = refused(stub.url, groups(100), concurrency=4, **settings)
        assert stub.stats()["requests"] <= 8
    assert said.startswith(f"models.teacher: stub-1 at {stub.url}/chat/completions: {says}") and not desk.lost


def test_a_server_that_is_not_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        said, desk = refused(url, groups(), kind=Hasty)
    assert said == f"models.teacher: {url}: cannot connect (connection refused): is the server running?"
    assert desk.spent == Spent() and not desk.replies


@pytest.mark.slow
def test_a_server_that_comes_up_late_is_waited_for(undisturbed):
    with Stub() as stub:
        stub.kill()
        threading.Timer(0.5, stub.restart).start()
        assert texts(answered(stub.url, groups(n=3))) == undisturbed


@pytest.mark.slow
def test_a_server_killed_and_restarted_halfway(undisturbed):
    with Stub(delay=0.01) as stub:

        def disturb(desk):
            if len(desk.replies) >= 30 and not fallen:
                fallen.append(len(desk.replies))
                stub.kill()
                threading.Timer(0.2, stub.restart).start()

        fallen = []
        desk = answered(stub.url, groups(n=3), then=disturb, concurrency=4)
        asked_for = Counter(stub.stats()["answered"].values())
    assert fallen and texts(desk) == undisturbed
    assert asked_for[2] <= 4 and set(asked_for) <= {1, 2}, "more was asked again than had been in flight"


@pytest.mark.slow
def test_a_server_that_goes_away_for_good():
    with Stub(delay=0.01) as stub:
        desk = Desk(groups(200), then=lambda desk: stub.kill() if len(desk.replies) == 20 else None)
        with pytest.raises(UserError, match="has stopped answering.*connection refused.*run again"):
            engine(stub.url, retries=2, concurrency=4).answer(desk.take, desk.give)
    assert 20 <= len(desk.replies) < 40 and not any(r.error for r in desk.replies.values())


@pytest.mark.parametrize("where", ["take", "give"])
def test_an_error_of_the_caller_comes_back_as_itself(good, where):
    desk = Desk(groups())

    def fail(*_):
        raise UserError("the disk is full") if where == "take" else ValueError("the disk is full")

    with pytest.raises((UserError, ValueError), match=r"^the disk is full$"):
        engine(good.url).answer(fail if where == "take" else desk.take, fail if where == "give" else desk.give)


ENDLESS = """
import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)
from tests.models.clients.openai_desk import Desk, engine, groups
desk = Desk(groups(100), then=lambda desk: print(len(desk.replies), flush=True))
try:
    engine(sys.argv[1], concurrency=8).answer(desk.take, desk.give)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["hang", "429", "500"])
def test_ctrl_c_ends_it_at_once_and_quietly(fault, server_with):
    with server_with(faults={fault: {"every": 2, "times": 0, "retry_after": 600}}) as stub:
        child = subprocess.Popen(
            [sys.executable, "-X", "dev", "-c", ENDLESS, stub.url],
            text=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        while not stub.stats()["faults"]:
            assert child.poll() is None, child.communicate()[1]
            time.sleep(0.05)
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
    assert out.endswith("interrupted\n") and child.returncode == 0
    assert time.monotonic() - started < 5
    assert not any(word in err for word in ("Unclosed", "pending", "never", "Traceback")), err
