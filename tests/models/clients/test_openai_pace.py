"""How many requests the engine `openai` sends at once, and when."""

import time

import pytest

from tests.models.clients.openai_desk import Desk, Notes, answered, engine, groups, refused


class Shown(Notes):
    """Keeps the messages too."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def say(self, message):
        self.lines.append(message)


class Enough(Exception):
    """Ends the asking."""


@pytest.mark.slow
def test_retry_after_is_waited_for_and_shown(server_with):
    with server_with(faults={"429": {"first": 1, "retry_after": 1.2}}) as stub:
        shown, started = Shown(), time.monotonic()
        desk = answered(stub.url, groups(40), progress=shown, concurrency=1)
        assert time.monotonic() - started > 1.1 and len(desk.replies) == 40
    assert shown.notes.count("server asks to wait 1.2 s") == 1 and shown.lines == []


def test_the_others_go_on_while_one_request_waits(server_with):
    def stop(desk):
        if len(desk.replies) == 39:
            raise Enough

    wanted = groups(40)
    first, desk = wanted[0][0].key, Desk(wanted, then=stop)
    with server_with(faults={"429": {"match": "prompt 0 ", "retry_after": 600}}) as stub:
        with pytest.raises(Enough):
            engine(stub.url, concurrency=2, max_wait=600).answer(desk.take, desk.give)
        assert stub.stats()["faults"] == {"429": 1}
    assert len(desk.replies) == 39 and first not in desk.replies


@pytest.mark.slow
@pytest.mark.parametrize("asked", [90_000, 1e15])
def test_a_wait_past_max_wait_is_cut_and_said(server_with, asked):
    with server_with(faults={"429": {"match": "prompt 0 ", "retry_after": asked}}) as stub:
        shown = Shown()
        desk = answered(stub.url, groups(40), progress=shown, concurrency=2, max_wait=0.3)
    assert not any(reply.error for reply in desk.replies.values())
    (line,) = shown.lines
    assert ("asks to wait 25.0 h" if asked == 90_000 else "for years") in line and "max_wait" in line


@pytest.mark.slow
def test_a_server_that_always_asks_to_wait_is_given_up(server_with):
    with server_with(faults={"429": {"times": 0, "retry_after": 90_000}}) as stub:
        said, _ = refused(stub.url, groups(), concurrency=4, retries=1, max_wait=0.05)
    assert "8 requests in a row have failed" in said and "asks to wait 25.0 h" in said


@pytest.mark.slow
def test_a_busy_server_gets_all_done_though_it_turns_away_most(server_with):
    with server_with(faults={"busy": {"above": 3}}, delay=0.01) as stub:
        desk = answered(stub.url, groups(150), concurrency=32, retries=3)
        stats = stub.stats()
    assert not any(r.error for r in desk.replies.values())
    assert stats["requests"] > 180 and set(stats["answered"].values()) == {1}


@pytest.mark.slow
def test_being_turned_away_is_no_failure_while_others_are_served(server_with):
    with server_with(faults={"429": {"match": "prompt 0 ", "times": 2, "retry_after": 0.01}}, delay=0.05) as stub:
        desk = answered(stub.url, groups(100), concurrency=16, retries=1)
        assert stub.stats()["faults"] == {"429": 2}
    assert not any(r.error for r in desk.replies.values())


@pytest.mark.slow
def test_limits_per_minute(good):
    for limit in ({"requests_per_minute": 600}, {"tokens_per_minute": 16_000}):
        started = time.monotonic()
        desk = answered(good.url, groups(22), **limit)
        assert time.monotonic() - started > 0.8, limit
        assert len(desk.replies) == 22


def test_no_more_requests_at_once_than_allowed(server_with):
    with server_with(delay=0.02) as stub:
        answered(stub.url, groups(60), concurrency=5)
        assert stub.stats()["max_concurrent"] == 5


def test_it_asks_for_more_whenever_something_has_arrived(good):
    """A budget may hold back requests until those in flight have shown what they cost."""
    for at_once in (1, 2):
        assert len(answered(good.url, groups(20, n=3), at_once, choices=2).replies) == 60


@pytest.mark.slow
def test_all_workers_are_back_at_work_once_there_is_work(server_with):
    def open_up(desk):
        desk.at_once = None

    with server_with(delay=0.05) as stub:
        answered(stub.url, groups(60), 1, open_up, concurrency=5)
        assert stub.stats()["max_concurrent"] == 5
