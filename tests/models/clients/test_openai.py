"""The engine `openai` against a real server process that goes wrong in every way: nothing lost, nothing twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import pytest

from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.transport import proxy_for
from curate.models.clients.openai import api_key
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Sampling, Spent, make_request
from tests.stub_server import Stub

ROOT = Path(__file__).parents[3]
KEY = "sk-very/secret+key-0123456789"
CALCULATOR = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}},
    },
}


class Desk:
    """Hands out groups, takes in replies: one to each request, none twice. ``at_once`` groups may be out at a time."""

    def __init__(self, groups, at_once=None, then=None):
        self.waiting, self.at_once, self.then = list(groups), at_once, then
        self.out, self.replies, self.spent, self.lost = {}, {}, Spent(), []

    def take(self):
        if not self.waiting or (self.at_once and len(set(self.out.values())) >= self.at_once):
            return None
        group = self.waiting.pop(0)
        self.out.update((r.key, group[0].messages) for r in group)
        return group

    def give(self, replies, spent):
        for reply in replies:
            del self.out[reply.key]  # raises if it is not wanted (any more)
            self.replies[reply.key] = reply
        if not replies:
            self.lost.append(spent)
        self.spent = Spent(
            *(getattr(self.spent, k) + getattr(spent, k) for k in ("requests", "prompt_tokens", "completion_tokens"))
        )
        if self.then:
            self.then(self)


class Notes(Progress):
    """Keeps what it is told."""

    def __init__(self):
        self.notes = []

    def advance(self, done, note=""):
        self.notes.append(note)


class Hasty(ChatEngine):
    """An engine that does not wait long for a server to be there."""

    PATIENCE = 0.5


def engine(url, progress=None, kind=ChatEngine, **settings):
    ref = ModelRef("teacher", "teacher@1", "stub-1", "openai", settings=tuple({"base_url": url, **settings}.items()))
    return kind(ref, progress or Progress(), url, api_key(ref))


def groups(count=24, n=1, text="prompt {} please", tools=None, **sampling):
    how = Sampling(**{"max_tokens": 12, **sampling})
    messages = [json.dumps([{"role": "user", "content": text.format(i)}]) for i in range(count)]
    return [[make_request("teacher@1", m, tools, how, i) for i in range(n)] for m in messages]


def ask(url, wanted, at_once=None, then=None, **settings):
    """Have the groups answered; return the desk. Every request has its reply."""
    desk = Desk(wanted, at_once, then)
    made = engine(url, **settings)
    made.answer(desk.take, desk.give)
    made.close()
    made.close()
    assert not desk.out and desk.replies.keys() == {r.key for group in wanted for r in group}
    return desk


def refused(url, wanted, **settings):
    """The error that asking ends with, and the desk."""
    desk = Desk(wanted)
    with pytest.raises(UserError) as found:
        engine(url, **settings).answer(desk.take, desk.give)
    return str(found.value), desk


def texts(desk):
    return {key: reply.text for key, reply in desk.replies.items()}


@pytest.fixture(scope="module")
def good():
    with Stub() as stub:
        yield stub


@pytest.fixture(scope="module")
def undisturbed(good):
    return texts(ask(good.url, groups(n=3)))


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
    "null": {"every": 2},
    "types": {"every": 3},
    "bad_utf8": {"every": 2},
    "huge": {"every": 3},
    "choices": {"every": 3, "count": 0},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_overcome(name, undisturbed):
    with Stub(faults={name: FAULTS[name]}) as stub:
        desk = ask(stub.url, groups(n=3), timeout=1)
        stats = stub.stats()
    assert texts(desk) == undisturbed
    assert stats["faults"][name] > 0
    if name not in ("choices",):
        assert set(stats["answered"].values()) == {1}, "something was asked for again that had been answered"
    refusals = name.isdigit() and name != "408"  # nothing was written, so nothing can be billed
    assert len(desk.lost) == (0 if refusals else stats["faults"][name])
    assert all(spent.requests == 1 and spent.prompt_tokens > 0 for spent in desk.lost)


def test_all_faults_at_once_are_overcome(undisturbed):
    with Stub(faults={name: how | {"every": 8} for name, how in FAULTS.items()}) as stub:
        assert texts(ask(stub.url, groups(n=3), timeout=1, retries=20)) == undisturbed
        assert len(stub.stats()["faults"]) > 10


def test_what_is_spent_is_what_the_server_counted(good):
    desk = ask(good.url, groups(10, n=5), choices=2)
    assert desk.spent.requests == 30 and not desk.lost
    assert desk.spent.completion_tokens == sum(r.completion_tokens for r in desk.replies.values())
    assert desk.spent.completion_tokens == sum(len(r.text.split()) for r in desk.replies.values())
    assert desk.spent.prompt_tokens == sum(
        r.prompt_tokens for g in groups(10, n=5) for r in [desk.replies[g[i].key] for i in (0, 2, 4)]
    )
    assert {r.finish_reason for r in desk.replies.values()} == {"stop"}


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_wrong_number_of_choices(count):
    with Stub(faults={"choices": {"every": 2, "match": '"n":4', "count": count}}) as stub:
        desk = ask(stub.url, groups(n=4))
        stats = stub.stats()
    assert all(desk.replies[r.key].text for group in groups(n=4) for r in group)
    assert count > 4 or stats["choices"] == 24 * 4 + count * stats["faults"]["choices"], "a sample was paid for twice"
    assert len(set(texts(desk).values())) > 24 * 4 * 0.9  # samples of a prompt differ


@pytest.mark.parametrize("fault", ["refuse_n", "ignore_n"])
def test_a_server_without_n_is_asked_singly_from_then_on(fault):
    with Stub(faults={fault: {}}) as stub:
        desk = ask(stub.url, groups(n=4), concurrency=2)
        stats = stub.stats()
    again = 2 if fault == "ignore_n" else 0  # the two in flight, which might have come short for once
    assert stats["choices"] <= 24 * 4 + again and stats["requests"] <= 24 * 4 + 2 + again and "n" not in stats["last"]
    assert not any(r.error for r in desk.replies.values()) and desk.spent.requests == stats["choices"]


def test_greedy_samples_are_asked_singly(good):
    before = good.stats()["requests"]
    desk = ask(good.url, groups(2, n=3, temperature=0))
    assert good.stats()["requests"] == before + 6 and len(set(texts(desk).values())) == 2


def test_a_server_may_call_the_limit_max_completion_tokens():
    with Stub(faults={"max_completion_tokens": {}}) as stub:
        desk = ask(stub.url, groups(max_tokens=3), concurrency=4)
        stats = stub.stats()
    assert stats["last"]["max_completion_tokens"] == 3 and "max_tokens" not in stats["last"]
    assert stats["requests"] <= 24 + 4 and {r.finish_reason for r in desk.replies.values()} == {"length"}


def test_a_request_that_can_never_succeed_is_asked_once():
    with Stub(faults={"context": {"match": "prompt 7 "}, "422": {"match": "prompt 8 ", "times": 0}}) as stub:
        desk = ask(stub.url, groups(n=2))
        stats = stub.stats()
    failed = [r for r in desk.replies.values() if r.error]
    assert len(failed) == 4 and not any(r.transient for r in failed) and all(r.text is None for r in failed)
    (long,) = {r.error for r in failed if "400" in r.error}
    assert long.startswith(f"stub-1 at {stub.url}/chat/completions: HTTP 400: This model's maximum context length is")
    assert stats["requests"] == 24


def test_a_request_that_always_fails_does_not_stop_the_rest():
    with Stub(faults={"500": {"match": "prompt 7 ", "times": 0}}) as stub:
        desk = ask(stub.url, groups(), retries=2)
        stats = stub.stats()
    (failed,) = [r for r in desk.replies.values() if r.error]
    assert failed.transient and "HTTP 500: fault 500 (3 attempts)" in failed.error
    assert stats["requests"] == 23 + 3


def test_a_server_that_always_fails_is_given_up():
    with Stub(faults={"503": {"times": 0}}) as stub:
        said, desk = refused(stub.url, groups(60), retries=0, concurrency=4)
    assert "8 requests in a row have failed" in said and "HTTP 503" in said and len(desk.replies) < 16
    assert all(r.transient for r in desk.replies.values())


def test_retry_after_holds_for_everyone_and_is_shown():
    with Stub(faults={"429": {"first": 1, "retry_after": 1.2}}) as stub:
        notes, started = Notes(), time.monotonic()
        desk = ask(stub.url, groups(40), progress=notes, concurrency=1)
        assert time.monotonic() - started > 1.1 and len(desk.replies) == 40
    assert notes.notes.count("server asks to wait 1.2 s") == 1
    with Stub(faults={"429": {"first": 1, "retry_after": 90_000}}) as stub:
        said, _ = refused(stub.url, groups())
    assert "asks to wait 25.0 h" in said


def test_a_busy_server_gets_all_done_though_it_turns_away_most():
    with Stub(faults={"busy": {"above": 3}}, delay=0.01) as stub:
        desk = ask(stub.url, groups(150), concurrency=32, retries=3)
        stats = stub.stats()
    assert not any(r.error for r in desk.replies.values())
    assert stats["requests"] > 180 and set(stats["answered"].values()) == {1}


def test_being_turned_away_is_no_failure_while_others_are_served():
    with Stub(faults={"429": {"match": "prompt 0 ", "times": 2, "retry_after": 0.01}}, delay=0.1) as stub:
        desk = ask(stub.url, groups(100), concurrency=16, retries=1)
        assert stub.stats()["faults"] == {"429": 2}
    assert not any(r.error for r in desk.replies.values())


def test_limits_per_minute(good):
    for limit in ({"requests_per_minute": 600}, {"tokens_per_minute": 16_000}):
        started = time.monotonic()
        desk = ask(good.url, groups(22), **limit)
        assert time.monotonic() - started > 0.8, limit
        assert len(desk.replies) == 22


def test_no_more_requests_at_once_than_allowed():
    with Stub(delay=0.02) as stub:
        ask(stub.url, groups(60), concurrency=5)
        assert stub.stats()["max_concurrent"] == 5


def test_it_asks_for_more_whenever_something_has_arrived(good):
    """A budget may hold back requests until those in flight have shown what they cost."""
    for at_once in (1, 2):
        assert len(ask(good.url, groups(20, n=3), at_once, choices=2).replies) == 60


def test_all_workers_are_back_at_work_once_there_is_work():
    def open_up(desk):
        desk.at_once = None

    with Stub(delay=0.05) as stub:
        ask(stub.url, groups(60), 1, open_up, concurrency=5)
        assert stub.stats()["max_concurrent"] == 5


def test_nothing_to_do(good):
    assert ask(good.url, []).spent == Spent()


def test_settings_reach_the_server_and_its_answers_the_replies(good):
    schema = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}
    wanted = groups(2, n=2, logprobs=True, top_p=0.9, top_k=5, stop=("END",), response_format=json.dumps(schema))
    desk = ask(good.url, wanted, extra_body={"priority": 3})
    for reply in desk.replies.values():
        assert 1 <= json.loads(reply.text)["score"] <= 5
        assert reply.logprobs and all(isinstance(p, float) and p < 0 for p in reply.logprobs)
    last = good.stats()["last"]
    assert (last["model"], last["n"], last["priority"], last["stop"]) == ("stub-1", 2, 3, ["END"])


def test_reasoning_and_tool_calls(good):
    aloud = ask(good.url, groups(2, text="think aloud {}")).replies.values()
    apart = ask(good.url, groups(2, text="think {}")).replies.values()
    for reply in (*aloud, *apart):
        assert reply.reasoning_content.startswith("so ") and "think" not in reply.text and reply.text
    for reply in ask(good.url, groups(2, n=2, tools=json.dumps([CALCULATOR]))).replies.values():
        (call,) = json.loads(reply.tool_calls)
        assert call["function"]["name"] == "add" and json.loads(call["function"]["arguments"]).keys() == {"a", "b"}
        assert reply.text == "" and reply.finish_reason == "tool_calls"


def test_a_users_turn_is_written_after_the_templates_prefix(good):
    bare = [
        [make_request("teacher@1", '[{"role":"user","content":null}]', None, Sampling(logprobs=True), i)]
        for i in range(3)
    ]
    desk = ask(good.url, bare, user_prefix="<|im_start|>user\n")
    assert good.stats()["last"]["prompt"] == "<|im_start|>user\n" and len(set(texts(desk).values())) == 3
    assert all(r.logprobs and r.completion_tokens for r in desk.replies.values())
    assert "models.teacher.user_prefix" in refused(good.url, bare)[0]
    after = [
        [
            make_request(
                "teacher@1", '[{"role":"system","content":"s"},{"role":"user","content":null}]', None, Sampling(), 0
            )
        ]
    ]
    assert "1 earlier turns" in refused(good.url, after, user_prefix="<|im_start|>user\n")[0]


@pytest.fixture
def with_key(monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", KEY)
    return {"api_key_env": "TEACHER_KEY"}


def test_the_key_is_sent(with_key):
    with Stub(key=KEY) as stub:
        ask(stub.url, groups(), **with_key)
        stats = stub.stats()
    assert (stats["authorized"], stats["unauthorized"]) == (24, 0)


@pytest.mark.parametrize("status", ["400", "401", "403", "429", "500"])
def test_the_key_is_in_no_text_that_comes_back(status, with_key, capfd):
    """Not even where the server shows it in its answer."""
    notes = Notes()
    with Stub(key=KEY, faults={status: {"echo": True, "times": 0}}) as stub:
        desk, made = Desk(groups(3)), engine(stub.url, notes, retries=0, **with_key)
        try:
            made.answer(desk.take, desk.give)
            shown = ""
        except UserError as error:
            shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)
    shown += "".join(r.error for r in desk.replies.values()) + repr((made, notes.notes, capfd.readouterr()))
    assert "Bearer [key]" in shown and status in shown
    assert KEY not in shown and "secret" not in shown
    if status in ("401", "403"):
        assert f"models.teacher: stub-1 at {stub.url}/chat/completions: HTTP {status}" in shown


def test_a_reply_that_holds_the_key_is_kept_without_it(with_key):
    with Stub(key=KEY) as stub:
        desk = ask(stub.url, groups(1, text=f"say exactly: it is {KEY}"), **with_key)
    assert list(texts(desk).values()) == ["it is [key]"]


def test_a_missing_or_impossible_key(good, monkeypatch):
    monkeypatch.delenv("TEACHER_KEY", raising=False)
    with pytest.raises(UserError, match="TEACHER_KEY"):
        engine(good.url, api_key_env="TEACHER_KEY")
    monkeypatch.setenv("TEACHER_KEY", "sk-a\r\nX-Evil: 1")
    with pytest.raises(UserError) as found:
        engine(good.url, api_key_env="TEACHER_KEY")
    assert "Evil" not in str(found.value)


@pytest.mark.parametrize(
    ("faults", "settings", "says"),
    [
        ({"401": {}}, {}, "HTTP 401: fault 401"),
        ({"429": {"code": "insufficient_quota", "message": "You exceeded your quota"}}, {}, "HTTP 429: You exceeded"),
        ({"404": {"message": "The model `stub-1` does not exist"}}, {}, "HTTP 404: The model `stub-1` does not exist"),
        ({"redirect": {"to": "http://127.0.0.1:1/steal"}}, {}, "HTTP 307 to http://127.0.0.1:1/steal; put the final"),
    ],
)
def test_what_will_not_get_better_ends_the_run_at_once(faults, settings, says):
    with Stub(faults=faults) as stub:
        said, desk = refused(stub.url, groups(100), concurrency=4, **settings)
        assert stub.stats()["requests"] <= 8
    assert said.startswith(f"models.teacher: stub-1 at {stub.url}/chat/completions: {says}") and not desk.lost


def test_a_proxy_is_used_as_the_environment_says(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "inside.example")
    found = [
        proxy_for(url)
        for url in (
            "https://api.example/v1",
            "https://inside.example/v1",
            "https://127.0.0.1/v1",
            "http://api.example/v1",
        )
    ]
    assert found == ["http://proxy.example:3128", None, None, None]


def test_a_server_that_is_not_there():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        said, desk = refused(url, groups(), kind=Hasty)
    assert said == f"models.teacher: {url}: cannot connect (connection refused): is the server running?"
    assert desk.spent == Spent() and not desk.replies


def test_a_server_that_comes_up_late_is_waited_for(undisturbed):
    with Stub() as stub:
        stub.kill()
        threading.Timer(1.0, stub.restart).start()
        assert texts(ask(stub.url, groups(n=3))) == undisturbed


def test_a_server_killed_and_restarted_halfway(undisturbed):
    with Stub(delay=0.01) as stub:

        def disturb(desk):
            if len(desk.replies) >= 30 and not fallen:
                fallen.append(len(desk.replies))
                stub.kill()
                threading.Timer(1.0, stub.restart).start()

        fallen = []
        desk = ask(stub.url, groups(n=3), then=disturb, concurrency=4)
        asked_for = Counter(stub.stats()["answered"].values())
    assert fallen and texts(desk) == undisturbed
    assert asked_for[2] <= 4 and set(asked_for) <= {1, 2}, "more was asked again than had been in flight"


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
from tests.models.clients.test_openai import Desk, engine, groups
desk = Desk(groups(100), then=lambda desk: print(len(desk.replies), flush=True))
try:
    engine(sys.argv[1], concurrency=8).answer(desk.take, desk.give)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize("fault", ["hang", "429", "500"])
def test_ctrl_c_ends_it_at_once_and_quietly(fault):
    with Stub(faults={fault: {"every": 2, "times": 0, "retry_after": 600}}) as stub:
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


# The likeliest tokens ------------------------------------------------------------------------------------------------


def told(url, **sampling):
    """The likely tokens of two replies that hold short answers, and of one that holds none."""
    texts = ["say exactly: I give it 7 of 10", "say exactly: B", "say exactly: nothing at all"]
    asked = [groups(1, text=text, **sampling)[0] for text in texts]
    desk = Desk(asked)
    engine(url, concurrency=1).answer(desk.take, desk.give)
    return [desk.replies[group[0].key] for group in asked]


def test_the_likeliest_tokens_in_the_place_of_short_answers():
    with Stub() as stub:
        found = told(stub.url, top_logprobs=3)
        assert stub.stats()["last"]["top_logprobs"] == 3
    tops = [json.loads(reply.top_logprobs) for reply in found]
    assert [[one["token"] for one in top] for top in tops] == [["I", "7", "10"], ["B"], []]
    seven = tops[0][1]["top"]
    assert list(seven)[:3] == ["7", "0", "1"] and sorted(seven.values(), reverse=True) == list(seven.values())
    assert all(reply.logprobs is None for reply in found), "they were not asked for"


def test_a_server_that_refuses_logprobs_is_asked_without_them():
    with Stub(faults={"refuse_logprobs": {}}) as stub:
        found = told(stub.url, top_logprobs=3)
        assert [(reply.text, reply.top_logprobs) for reply in found] == [
            ("I give it 7 of 10", None),
            ("B", None),
            ("nothing at all", None),
        ]
        assert stub.stats()["requests"] == 4 and all(reply.error is None for reply in found)
