"""A store that holds counts which can't be, as older versions took them over from servers: it works without them."""

import json

import pytest

from curate.storage.reply_log import ReplyLog, Spender, costs
from curate.storage.sql_views import connect, publish
from schemas.requests import Reply, Spent
from tests.command import call

WHO = Spender("run1", "job", "teacher", "big@1")
KEYS = [f"{i:032x}" for i in range(3)]
RUN = {
    "run_id": "run1", "recipe": "job", "command": "run", "status": "finished", "stages": [], "requests": 3,
    "started_at": "2026-11-30T08:00:00.000", "seconds": 1.5, "prompt_tokens": 3 * 2**62, "completion_tokens": 10**30,
    "cost": float("inf"),
}  # fmt: skip


@pytest.fixture
def spoilt(store):
    """A store as it is after replies with the counts 2**62: their sums are no whole numbers of 64 bits any more."""
    with ReplyLog(store) as log:
        for key in KEYS:
            log.append([Reply(key, "yes", prompt_tokens=3)], WHO, Spent(1, 2**62, 2**62), 0.5, 0.25)
        log.append([], Spender("run2", "job", "teacher", "big@1"), Spent(1, 2**62, 10), 0.5, 0.25)
        log.append([], Spender("run3", "job", "teacher", "big@1"), Spent(1, 2**62, 10), 0.5, 0.25)
        wrong = json.dumps({"text": "yes", "prompt_tokens": 2**63, "completion_tokens": 10**30})
        log.db.execute("UPDATE replies SET body = ? WHERE key = ?", (wrong, bytes.fromhex(KEYS[0])))
    store.save_run(RUN)
    return store


def test_the_reply_is_kept_and_the_count_is_not(spoilt):
    with ReplyLog(spoilt) as log:
        first, second, _ = log.read(KEYS).values()
    assert (first.text, first.prompt_tokens, first.completion_tokens) == ("yes", None, None)
    assert (second.text, second.prompt_tokens) == ("yes", 3)


def test_what_was_spent_is_summed_without_them(spoilt):
    with ReplyLog(spoilt) as log:
        spent = log.spent(recipe="job")
        assert log.spent(recipe="other") == dict.fromkeys(spent, 0)
    assert (spent["requests"], spent["replies"], spent["prompt_tokens"], spent["completion_tokens"]) == (5, 3, 0, 20)
    assert (spent["cost"], spent["seconds"]) == (2.5, 1.25)
    assert [row["prompt_tokens"] for row in costs(spoilt)] == [None] * 3


def test_sql_and_show_work_on_such_a_store(spoilt):
    with connect(spoilt) as con:
        found = con.execute("SELECT requests, prompt_tokens, completion_tokens, cost FROM runs").fetchone()
        assert con.execute("SELECT sum(prompt_tokens), sum(completion_tokens) FROM costs").fetchone() == (None, 20)
    assert found == (3, None, None, None)
    publish(spoilt)
    for arguments in (["show", "costs"], ["show", "runs"], ["show"], ["sql", "SELECT sum(prompt_tokens) FROM costs"]):
        done = call(spoilt.path.parent, *arguments, "--store", spoilt.path)
        assert done.code == 0, done.err


def test_whole_sums_stay_whole(store):
    with ReplyLog(store) as log:
        for run in ("a", "b"):
            log.append([], Spender(run, "job", "t", "t@1"), Spent(1, 10**15, 1), 0.0, 0.0)
        assert log.spent(recipe="job")["prompt_tokens"] == 2 * 10**15
    assert call(store.path.parent, "show", "costs", "--store", store.path).code == 0
