"""Of a damaged log of replies, all that can be read is kept, and the rest is asked for again."""

import sqlite3

import pytest

from curate.storage.doctor import examine, repair
from curate.storage.reply_log import ReplyLog, Spender, costs
from schemas.errors import UserError
from schemas.requests import Reply, Spent

WHO = Spender("run1", "demo", "student", "m1")
PAGE = 4096


def key(number):
    return f"{number:064x}"


@pytest.fixture
def log_file(store):
    """The file of a log of 2,000 replies in a store."""
    with ReplyLog(store) as log:
        for start in range(0, 2000, 100):
            replies = [Reply(key(n), text=f"answer {n} " + "x" * 200) for n in range(start, start + 100)]
            log.append(replies, WHO, Spent(100, 500, 1000), 0.1, 1.0)
    return store.path / "replies" / "replies.sqlite"


def kept(store):
    with ReplyLog(store) as log:
        return log.read([key(n) for n in range(2000)])


@pytest.mark.parametrize("first", [20, 60, 150])
def test_a_broken_page_costs_its_own_replies_alone(store, log_file, first):
    held = log_file.read_bytes()
    log_file.write_bytes(held[: first * PAGE] + b"\xa5" * (3 * PAGE) + held[(first + 3) * PAGE :])
    findings = examine(store)
    assert [one.damage.path for one in findings] == [log_file] and findings[0].repaired == ""
    (done,) = repair(store, findings)
    replies = kept(store)
    assert 1900 <= len(replies) < 2000 or "2,000 replies" in done.repaired  # the pages may be an index's
    assert f"{len(replies):,} replies and 1 cost are kept" in done.repaired
    assert all(reply.text.startswith(f"answer {int(name, 16)} ") for name, reply in replies.items())
    assert examine(store) == [] and costs(store)[0]["requests"] == 2000
    assert (store.path / "damaged" / log_file.name).read_bytes()[:16] == held[:16]


def test_a_reply_that_is_no_json_is_named_and_asked_again(store, log_file):
    with sqlite3.connect(log_file) as log:
        log.execute('UPDATE replies SET body = \'{"text": "ans\' WHERE id = 7')
    log.close()
    with pytest.raises(UserError, match=r"replies\.sqlite: damaged: the reply .*doctor --repair"):
        kept(store)
    (done,) = repair(store, examine(store))
    assert "1,999 replies" in done.repaired and key(6) not in kept(store) and key(7) in kept(store)


def test_a_log_of_which_nothing_is_left_stays_where_it_is(store, log_file):
    log_file.write_bytes(b"no database at all " * 1000)
    (done,) = repair(store, examine(store))
    assert done.repaired == "" and "move it away to start anew" in str(done.damage)
    assert log_file.read_bytes().startswith(b"no database") and not (store.path / "damaged").exists()
