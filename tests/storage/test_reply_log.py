"""The log of replies: what was written is read back, what was torn never is, and what it cost is counted right."""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.storage.reply_log import SPENT, ReplyLog, Spender, costs
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.requests import Reply, Spent
from schemas.token_count import MOST_TOKENS

ROOT = Path(__file__).parents[2]
WHO = Spender("run1", "job", "teacher", "big@1")
WILD = st.text(st.characters(codec=None), max_size=30)  # every code point, lone surrogates too
COUNT = st.none() | st.integers(0, MOST_TOKENS)
ANSWERS = st.builds(
    Reply,
    key=st.just(""),
    text=WILD,
    reasoning_content=st.none() | WILD,
    tool_calls=st.none() | WILD,
    finish_reason=st.sampled_from([None, "stop", "length"]),
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    logprobs=st.none() | st.lists(st.floats(max_value=0, allow_nan=False), max_size=4).map(tuple),
)
FAILURES = st.builds(Reply, key=st.just(""), error=WILD, transient=st.booleans(), prompt_tokens=COUNT)


def key(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def reply(name, text="yes"):
    return Reply(key(name), text, finish_reason="stop", prompt_tokens=3, completion_tokens=1)


def written(store, *batches, who=WHO):
    """Append each batch, as one that took a request, 10 and 2 tokens, half a dollar and a quarter of a second."""
    with ReplyLog(store) as log:
        for batch in batches:
            log.append(batch, who, Spent(1, 10, 2), 0.5, 0.25)
    return store.path / "replies" / "replies.sqlite"


def held(store, keys):
    with ReplyLog(store) as log:
        return log.read(keys)


def whole(text):
    """A text as what stores and shows rows can hold it: surrogates in pairs are characters, lone ones are U+FFFD."""
    return text and text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def test_finish_reasons_of_older_stores_are_read_as_openais(store):
    written(store, [replace(reply("a"), finish_reason="MAX_TOKENS"), replace(reply("b"), finish_reason=None)])
    assert [one.finish_reason for one in held(store, [key("a"), key("b")]).values()] == ["length", None]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(ANSWERS | FAILURES, min_size=1, max_size=4), max_size=5), st.randoms())
def test_what_is_written_is_read_back_in_any_order(found, random):
    batches = [[replace(r, key=key(b, i)) for i, r in enumerate(batch)] for b, batch in enumerate(found)]
    texts = ("text", "reasoning_content", "tool_calls", "error")
    wanted = {r.key: replace(r, **{t: whole(getattr(r, t)) for t in texts}) for batch in batches for r in batch}
    keys = list(wanted)
    random.shuffle(keys)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        written(store, *batches)
        with ReplyLog(store) as log:
            got = log.read([*keys, key("other")])
            assert got == wanted and list(got) == keys
            assert [k for k in keys if k in log] == [k for k in keys if wanted[k].error is None]
            assert key("other") not in log


def test_half_a_surrogate_pair_is_replaced_and_a_whole_one_kept(store):
    written(store, [reply("a", "x\ud83dy"), reply("b", "\ud83d\ude00"), reply("c", "\ude00\ud83d")])
    assert [r.text for r in held(store, [key("a"), key("b"), key("c")]).values()] == ["x�y", "\U0001f600", "��"]


def test_a_failure_is_written_over_and_an_answer_never(store):
    first, second = Reply(key("a"), error="busy", transient=True), Reply(key("a"), error="too long")
    written(store, [first], [second])
    assert held(store, [key("a")]) == {key("a"): second}
    written(store, [reply("b")], [reply("a")])
    assert held(store, [key("a")]) == {key("a"): reply("a")}
    written(store, [reply("a", "no")], [Reply(key("a"), error="busy")])
    assert held(store, [key("a")]) == {key("a"): reply("a")}
    with ReplyLog(store) as log:
        assert key("a") in log
        first, second = log.place(key("b")), log.place(key("a"))
        assert first and second and second > first, "an answer in a failure's place is as new as it came"
        assert log.newest() == log.place(key("a"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=12))
def test_costs_are_the_sums_of_what_was_spent(exchanges):
    """Costs of any runs and models, in any order."""
    wanted = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        for i, (run, model, failed) in enumerate(exchanges):
            who = Spender(f"run{run}", "odd" if run % 2 else "even", f"m{model}", f"id{model}")
            made = Reply(key(i), error="no") if failed else reply(i)
            with ReplyLog(store) as log:
                log.append([made], who, Spent(1, i, 2 * i), i / 4, i / 8)
                log.append([], who, Spent(1, 5, 0), 0.0, 0.5)  # an attempt that came to nothing
            wanted.setdefault(astuple(who), Counter()).update(
                requests=2,
                replies=not failed,
                failed=failed,
                prompt_tokens=i + 5,
                completion_tokens=2 * i,
                cost=i / 4,
                seconds=i / 8 + 0.5,
            )
        found = {tuple(row[k] for k in ("run_id", "recipe", "model", "identity")): row for row in costs(store)}
        assert {k: {n: v[n] for n in SPENT} for k, v in found.items()} == {
            k: {n: v[n] for n in SPENT} for k, v in wanted.items()
        }
        with ReplyLog.open_for_reading(store) as log:
            for who in ({}, {"recipe": "odd"}, {"identity": "id1"}, {"recipe": "even", "model": "m2"}):
                names = ("run_id", "recipe", "model", "identity")
                rows = [
                    v
                    for k, v in wanted.items()
                    if {**dict(zip(names, k, strict=True)), **who} == dict(zip(names, k, strict=True))
                ]
                assert log.spent(**who) == {n: sum(row[n] for row in rows) for n in SPENT}


WRITER = """if True:
    import os, sys
    from schemas.requests import Reply, Spent
    from curate.storage.reply_log import ReplyLog, Spender
    from curate.storage.store import Store
    log = ReplyLog(Store(sys.argv[1])).__enter__()
    log.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # the tables are in the file, what follows is not
    for b in range(6):
        batch = [Reply(f"{b:02x}{i:02x}" * 8, "x" * 40 * (b + 1) * (i + 1)) for i in range(b + 1)]
        log.append(batch, Spender("run1", "job", "m", "m"), Spent(1, 1, 1), 0.0, 0.0)
    os.kill(os.getpid(), 9)
"""
BATCHES = [[f"{b:02x}{i:02x}" * 8 for i in range(b + 1)] for b in range(6)]


@pytest.mark.slow
def test_a_log_cut_anywhere_holds_whole_batches_with_their_costs(tmp_path):
    """The write-ahead log as a kill may leave it: cut at any byte, or with a wrong byte."""
    store = Store(tmp_path / "store")
    done = subprocess.run([sys.executable, "-c", WRITER, str(store.path)], cwd=ROOT, capture_output=True, timeout=60)
    assert done.returncode == -9, done.stderr
    main = (store.path / "replies" / "replies.sqlite").read_bytes()
    wal = (store.path / "replies" / "replies.sqlite-wal").read_bytes()
    assert len(wal) > 6 * 4096
    seen = []
    for at in [*range(0, len(wal), 397), *(len(wal) - i for i in range(5))]:
        for torn in (wal[:at], wal[:at] + b"\xa7" + wal[at + 1 :]):
            shutil.rmtree(store.path / "replies")
            (store.path / "replies").mkdir()
            (store.path / "replies" / "replies.sqlite").write_bytes(main)
            (store.path / "replies" / "replies.sqlite-wal").write_bytes(torn)
            with ReplyLog.open_for_reading(store) as log:
                there = [list(log.read(batch)) for batch in BATCHES]
                requests = log.spent()["requests"]
            count = sum(1 for batch in there if batch)
            assert there == [*BATCHES[:count], *([] for _ in BATCHES[count:])]
            assert requests == count, "a batch is never there without its cost, nor a cost without its batch"
            seen.append(count)
    assert {*seen} == {*range(7)}, "every number of batches came up"


def test_after_a_torn_end_new_replies_are_whole(tmp_path):
    store = Store(tmp_path / "store")
    subprocess.run([sys.executable, "-c", WRITER, str(store.path)], cwd=ROOT, capture_output=True, timeout=60)
    path = store.path / "replies" / "replies.sqlite-wal"
    path.write_bytes(path.read_bytes()[:-100])
    written(store, [reply("new")])
    assert [*held(store, [*BATCHES[4], *BATCHES[5], key("new")])] == [*BATCHES[4], key("new")]


def test_a_damaged_file_is_one_line_that_says_what_to_do(store):
    path = written(store, *([reply((i, j), "x" * 500) for j in range(10)] for i in range(20)))
    good = path.read_bytes()
    size = len(good)
    for damage in (b"not a database at all" * 500, good[:100] + b"\xff" * 400 + good[500:]):
        path.write_bytes(damage)
        with pytest.raises(UserError, match=r"replies\.sqlite: damaged: .*gristmill doctor --repair"):
            ReplyLog(store)
        with pytest.raises(UserError, match=r"doctor --repair"):
            costs(store)
    path.write_bytes(good[:4096] + b"\xa5" * (size - 4096))  # found out only when a page is read
    with pytest.raises(UserError, match=r"replies\.sqlite: .*doctor --repair"), ReplyLog(store) as log:
        for i in range(20):
            log.read([key((i, j)) for j in range(10)])
            log.append([reply(f"new{i}")], WHO, Spent(), 0.0, 0.0)


def test_a_full_disk_is_no_damage_and_keeps_what_was_there(store):
    written(store, [reply("a")])
    with ReplyLog(store) as log:
        pages = log.db.execute("PRAGMA page_count").fetchone()[0]
        log.db.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(UserError, match="full") as error:
            for i in range(100):
                log.append([reply(i, "x" * 5000)], WHO, Spent(1, 1, 1), 0.0, 0.0)
        assert "doctor" not in str(error.value)
        log.db.execute(f"PRAGMA max_page_count = {pages + 2000}")
        log.append([reply("b")], WHO, Spent(1, 1, 1), 0.0, 0.0)
        rows = log.db.execute("SELECT count(*) FROM replies").fetchone()[0]
        assert log.spent()["replies"] == rows >= 2 and key("a") in log and key("b") in log


def test_looking_leaves_no_trace(store):
    with ReplyLog.open_for_reading(store) as log:
        assert log.read([key("a")]) == {} and log.newest() == 0 and log.spent()["requests"] == 0
    assert costs(store) == [] and list((store.path / "replies").iterdir()) == []
    path = written(store, [reply("a")])
    before = path.read_bytes()
    with ReplyLog.open_for_reading(store) as log:
        assert key("a") in log and log.newest() == 1
    assert path.read_bytes() == before and [p.name for p in path.parent.iterdir()] == ["replies.sqlite"]


def test_another_process_can_look_while_replies_come_in(store):
    with ReplyLog(store) as log:
        for i in range(3):
            log.append([reply(i)], WHO, Spent(1, 1, 1), 0.0, 0.0)
            with ReplyLog.open_for_reading(store) as other:
                assert other.newest() == i + 1 and other.spent()["requests"] == i + 1


def test_a_write_that_fails_in_the_middle_leaves_nothing_of_it(store):
    with ReplyLog(store) as log:
        log.append([reply("a")], WHO, Spent(1, 1, 1), 0.0, 0.0)
        with pytest.raises(UserError, match="type 'object' is not supported"):  # found once the reply is written
            log.append([reply("b")], WHO, Spent(1, 1, 1), object(), 0.0)  # ty: ignore[invalid-argument-type] on purpose
        assert key("b") not in log and log.spent()["requests"] == 1 and not log.db.in_transaction
        log.append([reply("b")], WHO, Spent(1, 1, 1), 0.0, 0.0)
        assert key("b") in log and log.spent()["requests"] == 2
