"""The log of replies: what was written is read back, what was torn never is."""

import json
import tempfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.clients.requests import Reply
from curate.replies import ReplyLog, answered, log_path
from curate.store import Store

MODEL = "tiny@0"
WILD = st.text(st.characters(), max_size=30)  # every code point, lone surrogates too
COUNT = st.none() | st.integers(0, 1 << 40)
REPLIES = st.builds(Reply, key=st.just(""), text=st.none() | WILD, reasoning_content=st.none() | WILD,
                    finish_reason=st.sampled_from([None, "stop", "length"]), prompt_tokens=COUNT,
                    completion_tokens=COUNT, error=st.none() | WILD)  # fmt: skip


def reply(key, text="yes"):
    return Reply(key, text, finish_reason="stop", prompt_tokens=3, completion_tokens=1)


def as_json(value):
    """The reply as JSON has it: two lone surrogates that make a pair are one character."""
    return Reply(**json.loads(json.dumps(value.record())))


def written(store, *batches):
    with ReplyLog(store, MODEL) as log:
        for batch in batches:
            log.append(batch)
    return log_path(store, MODEL)


@pytest.fixture
def batches():
    return [[reply(f"{b}{i}", f"läuft\n{b}{i}") for i in range(b + 1)] for b in range(3)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(REPLIES, min_size=1, max_size=4), max_size=5), st.randoms())
def test_what_is_written_is_read_back_in_any_order(found, random):
    batches = [[replace(r, key=f"{b}.{i}") for i, r in enumerate(batch)] for b, batch in enumerate(found)]
    wanted = {r.key: as_json(r) for batch in batches for r in batch}
    keys = list(wanted)
    random.shuffle(keys)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(folder)
        written(store, *batches)
        with ReplyLog(store, MODEL) as log:
            got = log.read(keys)
            assert all(k in log for k in keys) and "other" not in log
        assert got == wanted and list(got) == keys
        assert answered(store, MODEL, [*keys, "other"]) == len(keys)


def test_a_reply_that_is_an_error_comes_back(store):
    failed = Reply("a", error="too long", prompt_tokens=900)
    written(store, [failed])
    with ReplyLog(store, MODEL) as log:
        assert log.read(["a"]) == {"a": failed}


def test_a_log_cut_anywhere_holds_whole_batches_only(store, batches):
    path = written(store, *batches)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    assert len(ends) == 3
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        held = [b for b, end in zip(batches, ends, strict=True) if end <= cut]
        keys = [r.key for b in batches for r in b]
        assert answered(store, MODEL, keys) == sum(map(len, held))
        assert path.stat().st_size == cut  # `check` only looks
        with ReplyLog(store, MODEL) as log:
            assert log.read(keys) == {r.key: r for b in held for r in b}
        assert path.stat().st_size == max([0, *(end for end in ends if end <= cut)])


def test_after_a_torn_end_new_replies_are_whole(store, batches):
    path = written(store, *batches[:2])
    with open(path, "ab") as file:
        file.write(b'0badc0de [{"key": "20", "te')
    written(store, batches[2])
    with ReplyLog(store, MODEL) as log:
        keys = [r.key for b in batches for r in b]
        assert list(log.read(keys)) == keys
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize("damage", [b"\x00", b"\xff", b"\n", b"x"])
def test_a_damaged_line_in_the_middle_is_passed_over(store, batches, damage):
    path = written(store, *batches)
    first, second, third = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + second[:20] + damage + second[21:] + third)
    with ReplyLog(store, MODEL) as log:
        assert list(log.read(["00", "10", "11", "20"])) == ["00", "20"]
        log.append(batches[1])
        assert list(log.read(["11", "00", "20"])) == ["11", "00", "20"]
    with ReplyLog(store, MODEL) as log:
        assert log.read(["10"]) == {"10": batches[1][0]}


def test_models_have_logs_of_their_own(store):
    written(store, [reply("a")])
    with ReplyLog(store, "tiny@1") as log:
        assert "a" not in log
    names = {log_path(store, name) for name in (MODEL, "tiny@1", "Qwen/Qwen3-0.6B@abc", "../../etc@0")}
    assert len(names) == 4 and {p.parent for p in names} == {store.path / "replies"}


def test_nothing_is_answered_where_no_log_is(store):
    assert answered(store, MODEL, ["a"]) == 0 and not log_path(store, MODEL).exists()
