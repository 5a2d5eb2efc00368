"""A model behind several servers: requests go to the least busy, and one that fails holds up no other."""

import contextlib
import json
import random
import socket
import threading
import time
from collections import Counter

import pytest

from curate.models.clients.http import balancer
from curate.models.clients.http.chat import ChatEngine
from curate.models.clients.http.many_servers import ManyServers
from curate.models.clients.openai import SPEC
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.requests import Sampling, make_request
from tests.models.clients.openai_desk import Desk, groups, texts
from tests.said import Said
from tests.scripted_server import Scripted
from tests.stub_server import Stub

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_waits")]


@pytest.fixture(scope="module")
def stubs():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Stub()) for _ in range(4)]


@pytest.fixture
def four(stubs):
    """Four servers without faults, whatever a test before did to them."""
    for stub in stubs:
        stub.reset()
    return stubs


@pytest.fixture
def short_rests(monkeypatch):
    monkeypatch.setattr(balancer, "FIRST_REST", 0.02)
    monkeypatch.setattr(balancer, "LONGEST_REST", 0.1)


@contextlib.contextmanager
def hung():
    """The address of a server that accepts connections and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/v1"


@contextlib.contextmanager
def closed():
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1"


def engine(urls, said=None, **settings):
    given = {"base_url": urls, "retries": 8, **settings}
    ref = ModelRef("teacher", "teacher@1", "stub-1", "openai", settings=tuple(given.items()))
    return SPEC.tasks["generate"](ref, said or Said())


def answered(urls, wanted, then=None, said=None, **settings):
    """Have the groups answered; return the desk and what was said. Every request has its reply, once."""
    desk, said = Desk(wanted, then=then), said or Said()
    made = engine(urls, said, **settings)
    made.answer(desk.take, desk.give)
    made.close()
    made.close()
    assert not desk.out and desk.replies.keys() == {r.key for group in wanted for r in group}
    return desk, said.lines


def urls(stubs):
    return [stub.url for stub in stubs]


def seen(stubs):
    return [stub.stats()["requests"] for stub in stubs]


def test_the_requests_are_shared_out_evenly(four, undisturbed):
    desk, lines = answered(urls(four), groups(n=3), concurrency=2)
    assert texts(desk) == undisturbed
    assert sum(seen(four)) == 24 and min(seen(four)) >= 3
    parts = [f"{stub.url} answered {count}" for stub, count in zip(four, seen(four), strict=True)]
    assert lines == [f"models.teacher: requests by server: {'; '.join(parts)}"]


def test_each_server_has_a_limit_of_its_own(four):
    for stub in four:
        stub.reset(delay=0.03)
    answered(urls(four), groups(60), concurrency=3)
    assert [stub.stats()["max_concurrent"] for stub in four] == [3] * 4


def test_the_samples_of_a_prompt_share_a_server():
    """In two requests each, of two samples."""
    where = {}

    def write(at, messages):
        time.sleep(0.02)
        where.setdefault(messages[-1]["content"], []).append(at)
        return "yes"

    with contextlib.ExitStack() as stack:
        scripts = [lambda _, messages, body, at=at: write(at, messages) for at in range(3)]
        servers = [stack.enter_context(Scripted(script)) for script in scripts]
        answered(urls(servers), groups(20, n=4), choices=2, concurrency=4)
    assert len(where) == 20 and all(len(places) == 4 for places in where.values())
    # All but the last ones, which go where nobody waits; by chance it would be a third.
    assert sum(len(set(places)) == 1 for places in where.values()) >= 14
    assert len({places[0] for places in where.values()}) == 3


def test_servers_killed_and_restarted_at_random(undisturbed):
    rng, wanted, stop = random.Random(7), groups(150, n=3), threading.Event()
    with contextlib.ExitStack() as stack:
        stubs = [stack.enter_context(Stub(delay=0.02)) for _ in range(4)]
        plain, _ = answered(stubs[0].url, wanted, choices=1)
        before = Counter(stubs[0].stats()["answered"])

        def disturb():
            while not stop.wait(0.05 + rng.random() * 0.1):
                stub = rng.choice(stubs)
                stub.kill()
                time.sleep(rng.random() * 0.2)
                stub.restart()
                killed.append(stub.url)

        killed, thread = [], threading.Thread(target=disturb)
        thread.start()
        try:
            desk, _ = answered(urls(stubs), wanted, choices=1, concurrency=4)
        finally:
            stop.set()
            thread.join()
        answers = sum((Counter(stub.stats()["answered"]) for stub in stubs), Counter()) - before
    assert killed and texts(desk) == texts(plain)
    assert len(answers) == 450 and sum(answers.values()) - 450 <= 4 * len(killed), "more than what was in flight"


def test_a_server_that_is_not_there_is_used_once_it_is(four, short_rests):
    four[0].kill()

    def restart(desk):
        if len(desk.replies) == 30:
            four[0].restart()

    for stub in four[1:]:
        stub.reset(delay=0.02)
    said = Said()
    _, lines = answered(urls(four), groups(300), restart, said, concurrency=2)
    assert four[0].stats()["requests"] > 0
    down = f"models.teacher: 1 of 4 servers not there: {four[0].url}: cannot connect (connection refused); "
    assert (
        lines[0] == f"{down}each is used once it answers"
        and lines[1] == f"models.teacher: {four[0].url}: answers again"
    )
    assert f"{four[0].url} answered {four[0].stats()['requests']};" in lines[-1]


def test_a_host_name_that_is_not_known(four):
    nowhere = "http://no-such-host.invalid:8000/v1"
    _, lines = answered([nowhere, four[0].url], groups())
    assert (
        f"1 of 2 servers not there: {nowhere}: cannot connect (the host name is not known)" in lines[0]
        and seen(four)[0] == 24
    )


def test_a_server_that_accepts_and_never_answers(four):
    with hung() as silent:
        desk, lines = answered([silent, four[0].url], groups(60), timeout=1, concurrency=4)
    assert not any(reply.error for reply in desk.replies.values())
    assert any("no reply within 1 s; its requests go to the others" in line for line in lines)
    assert len(desk.lost) <= 4, "more requests went there than it may have in flight"


def test_a_slow_server_gets_fewer_requests(four):
    four[0].reset(delay=0.2)
    four[1].reset(delay=0.01)
    answered(urls(four[:2]), groups(80), concurrency=2)
    slow, fast = seen(four)[:2]
    assert slow + fast == 80 and slow < fast / 3


def test_a_server_that_always_fails_is_no_black_hole(four):
    four[0].reset(faults={"500": {"times": 0}})
    for stub in four[1:]:
        stub.reset(delay=0.02)
    desk, lines = answered(urls(four), groups(200), concurrency=4)
    assert not any(reply.error for reply in desk.replies.values())
    assert seen(four)[0] < 30 and "HTTP 500: fault 500; its requests go to the others" in lines[0]


def test_a_server_that_asks_to_wait_holds_nobody_up(four):
    four[0].reset(faults={"429": {"times": 0, "retry_after": 600}})
    desk, _ = answered(urls(four), groups(100), concurrency=2, max_wait=600)
    assert not any(reply.error for reply in desk.replies.values())
    assert seen(four)[0] <= 2, "it was asked again within the time that it asked for"


def test_all_servers_ask_to_wait_and_are_waited_for(four):
    for stub in four:
        stub.reset(faults={"429": {"every": 2, "retry_after": 0.2}})
    desk, _ = answered(urls(four), groups(60), concurrency=2, retries=1)
    assert not any(reply.error for reply in desk.replies.values())


def test_busy_servers_get_all_done_though_they_turn_away_most(four):
    for stub in four:
        stub.reset(faults={"busy": {"above": 2}}, delay=0.01)
    desk, _ = answered(urls(four), groups(150), concurrency=16, retries=3)
    assert not any(reply.error for reply in desk.replies.values())


@pytest.mark.parametrize("listed", [True, False])
def test_a_server_of_another_model_is_left_out_and_named(four, listed):
    """Whether its list of models says so before anything is asked, or its 404 does."""
    for stub in four:
        stub.reset(model="stub-1")
    four[2].reset(model="other") if listed else four[2].reset(faults={"404": {"times": 0, "code": "model_not_found"}})
    desk, lines = answered(urls(four), groups(100), concurrency=2)
    assert not any(reply.error for reply in desk.replies.values())
    assert four[2].url in lines[0] and lines[0].endswith("; it is not used any more")
    assert ("has no model 'stub-1', which the others have, but 'other'" in lines[0]) == listed
    assert seen(four)[2] == 0 if listed else seen(four)[2] <= 2


def test_a_server_that_answers_as_another_model_is_left_out(four):
    body = {"model": "other", "choices": [{"index": 0, "message": {"role": "assistant", "content": "no"}}]}
    four[1].reset(faults={"raw": {"times": 0, "body": body}}, delay=0.1)  # the others answer before
    desk, lines = answered(urls(four), groups(60), concurrency=1)
    assert "no" not in texts(desk).values() and f"{four[1].url}: answers as 'other'" in lines[0]


def test_a_parameter_that_one_server_refuses_is_sent_to_none(four, undisturbed):
    four[0].reset(faults={"refuse_n": {}})
    desk, lines = answered(urls(four), groups(n=3), concurrency=1)
    assert sum("asks for one sample in a request" in line for line in lines) == 1
    assert len(desk.replies) == 72 and not any(reply.error for reply in desk.replies.values())


def test_a_prompt_that_fails_everywhere_stops_nothing_else(four):
    for stub in four:
        stub.reset(faults={"500": {"match": "prompt 7 ", "times": 0}})
    desk, _ = answered(urls(four), groups(), retries=4)
    (failed,) = [reply for reply in desk.replies.values() if reply.error]
    assert failed.transient and "HTTP 500: fault 500 (5 attempts)" in failed.error
    assert sum(seen(four)) == 23 + 5 and max(stub.stats()["faults"].get("500", 0) for stub in four) == 2


def test_all_servers_dead_is_one_line_with_the_reason_of_each(four, monkeypatch, short_rests):
    monkeypatch.setattr(ChatEngine, "PATIENCE", 0.3)
    four[0].reset(faults={"401": {"times": 0}})
    with closed() as first, closed() as second:
        made, desk = engine([first, second, four[0].url]), Desk(groups())
        with pytest.raises(UserError) as found:
            made.answer(desk.take, desk.give)
    said = str(found.value)
    assert said.startswith(f"models.teacher: none of the 3 servers can be asked: {first}: cannot connect (connection")
    assert f"; {second}: cannot connect" in said and f"stub-1 at {four[0].url}/chat/completions: HTTP 401" in said
    assert said.endswith("; the replies so far are kept: start one and run again") and "\n" not in said
    assert not desk.replies


@pytest.mark.parametrize("fault", ["500", "drop"])
def test_servers_that_are_all_there_and_always_fail_are_given_up(four, short_rests, fault):
    for stub in four:
        stub.reset(faults={fault: {"times": 0}})
    made, desk = engine(urls(four), retries=3, concurrency=4), Desk(groups(200))
    with pytest.raises(UserError) as found:
        made.answer(desk.take, desk.give)
    said = "the connection was lost" if fault == "drop" else "HTTP 500: fault 500"
    assert str(found.value).count(said) == 4 or "requests in a row have failed" in str(found.value)
    assert sum(seen(four)) < 800


def test_servers_that_all_go_away_lose_no_answer(short_rests):
    with Stub(delay=0.01) as one, Stub(delay=0.01) as other:

        def kill(desk):
            if len(desk.replies) == 20:
                one.kill()
                other.kill()

        desk = Desk(groups(200), then=kill)
        with pytest.raises(
            UserError, match=r"none of the 2 servers can be asked: .*connection refused.*; .*run again$"
        ):
            engine([one.url, other.url], retries=2, concurrency=4).answer(desk.take, desk.give)
    assert 20 <= len(desk.replies) < 40 and not any(reply.error for reply in desk.replies.values())


def test_what_is_known_of_servers_stays_for_the_next_call(four):
    with closed() as nobody:
        said, made = Said(), None
        made = engine([nobody, four[0].url], said)
        for count in (3, 5):
            desk = Desk(groups(count))
            made.answer(desk.take, desk.give)
        made.close()
    assert sum("cannot connect" in line for line in said.lines) == 1 and len(said.lines) == 2


def test_rewards_come_from_several_servers_too(four):
    made = SPEC.tasks["reward"](
        ModelRef("rm", "rm@1", "stub-1", "openai", settings=(("base_url", urls(four)), ("concurrency", 1))), Said()
    )
    asked = [make_request("rm@1", json.dumps({"text": "a" * i}), None, Sampling(), 0, "reward") for i in range(40)]
    desk = Desk([[one] for one in asked])
    made.answer(desk.take, desk.give)
    values = [desk.replies[one.key].value for one in asked]
    assert values == sorted(values) and len(set(values)) > 10 and min(seen(four)) > 0


def test_an_error_of_the_caller_comes_back_as_itself(four):
    desk = Desk(groups())

    def fail(*_):
        raise UserError("the disk is full")

    with pytest.raises(UserError, match=r"^the disk is full$"):
        engine(urls(four)).answer(desk.take, fail)


def test_the_key_goes_to_each_server_and_into_no_text(four, monkeypatch):
    monkeypatch.setenv("TEACHER_KEY", "sk-very/secret+key-0123456789")
    for stub in four:
        stub.reset(key="sk-very/secret+key-0123456789", faults={"500": {"every": 3, "echo": True, "times": 0}})
    desk, lines = answered(urls(four), groups(), api_key_env="TEACHER_KEY", retries=2)
    assert sum(stub.stats()["unauthorized"] for stub in four) == 0
    shown = "".join([*lines, *(reply.error or "" for reply in desk.replies.values())])
    assert "HTTP 500" in shown and "secret" not in shown


def test_a_list_of_one_is_the_plain_engine(good):
    assert isinstance(engine([good.url]), ChatEngine) and isinstance(engine([good.url, "http://h/v1"]), ManyServers)
