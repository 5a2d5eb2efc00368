"""Numbers, halves of characters and streams that nobody asked for cost themselves in a reply, never its text."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.models.clients.http import replies
from curate.models.clients.http.complaint import Complaint
from curate.models.clients.http.sse import read_chunk
from curate.models.clients.http.verdict import about_prompt, verdict
from schemas.requests import Sampling, make_request
from tests.models.clients.openai_desk import answered, groups
from tests.streaming_server import DONE, Response, Scripted, event

HI = json.dumps([{"role": "user", "content": "hi"}])
COUNTS = [2**62, 2**63, 2**64, 10**30, 10**400, -3, 1e300, True, "many", None, [], {"a": 1}, float("nan")]


def asked(n=1):
    return [make_request("m", HI, None, Sampling(), i) for i in range(n)]


def body(text="hello", usage=None, **message):
    message = {"role": "assistant", "content": text, **message}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}).encode()


@pytest.mark.parametrize("count", COUNTS, ids=lambda count: str(count)[:12])
def test_a_count_that_cannot_be_one_costs_the_count(count):
    raw = body(usage={"prompt_tokens": count, "completion_tokens": count})
    (reply,), spent = replies.read(asked(), raw, 400)
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens) == ("hello", None, None)
    assert 0 < spent.prompt_tokens < 1000 and 0 < spent.completion_tokens < 1000, "estimated from the bytes"


def test_a_count_of_more_digits_than_python_reads():
    raw = body(usage={"prompt_tokens": 0}).replace(b'"prompt_tokens": 0', b'"prompt_tokens": ' + b"7" * 5000)
    (reply,), _ = replies.read(asked(), raw, 400)
    assert (reply.text, reply.prompt_tokens) == ("hello", None)


def test_one_count_may_be_wrong_beside_a_right_one():
    (reply,), spent = replies.read(asked(), body(usage={"prompt_tokens": 7, "completion_tokens": -1}), 400)
    assert (reply.prompt_tokens, reply.completion_tokens, spent.prompt_tokens) == (7, None, 7)


@pytest.mark.parametrize(
    ("number", "kept"),
    [("1" + "0" * 30, {"a": 10**30}), ("1e999", '{"a": Infinity}'), ("7" * 5000, {"a": "7" * 5000})],
    ids=["large", "infinite", "long"],
)
def test_numbers_in_the_arguments_of_a_call_are_kept(number, kept):
    call = {"function": {"name": "f", "arguments": {"a": "NUMBER"}}}
    raw = body("x", tool_calls=[call]).replace(b'"NUMBER"', number.encode())
    (reply,), _ = replies.read(asked(), raw, 0)
    (made,) = json.loads(reply.tool_calls or "")
    assert reply.text == "x" and made["function"]["arguments"] == kept


@pytest.mark.parametrize("count", [2**62, 10**30, 10**400, -3, True, "5", 5.0], ids=lambda count: str(count)[:12])
def test_counts_of_a_stream_have_the_same_bounds(count):
    data = json.dumps({"choices": [], "usage": {"prompt_tokens": count, "completion_tokens": 2}}).encode()
    assert read_chunk(data).usage == (5 if count in ("5", 5.0) else None, 2)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"choices": [{"message": {"content": "a \\ud83d b"}}]}', "a \ufffd b"),
        (b'{"choices": [{"message": {"content": "a \xed\xa0\xbd b"}}]}', "a \ufffd b"),
        (b'{"choices": [{"message": {"content": "\\ud83d\\ude00 \\udc00"}}]}', "\U0001f600 \ufffd"),
        (b'{"choices": [{"message": {"content": "a", "reasoning": "\\udfff"}}]}', "a"),
    ],
)
def test_half_of_a_surrogate_pair_is_no_lost_reply(raw, text):
    (reply,), _ = replies.read(asked(), raw, 0)
    assert reply.text == text


def test_the_name_of_a_called_tool_may_hold_half_a_pair():
    data = b'{"choices": [{"delta": {"tool_calls": [{"function": {"name": "f\\ud83d"}}]}}]}'
    assert read_chunk(data).calls == ("f\ufffd",)


# A stream that nobody asked for ---------------------------------------------------------------------------------------

USAGE = event(usage={"prompt_tokens": 7, "completion_tokens": 2})


def stream(*deltas, finish="stop", done=DONE):
    return b"".join(event(delta) for delta in deltas) + event({}, finish) + USAGE + done


@pytest.mark.parametrize("done", [DONE, b""])
@pytest.mark.parametrize("before", [b"", b"\n", b"\xef\xbb\xbf", b": a comment\n\n", b"event: message\n"])
def test_a_stream_that_nobody_asked_for_is_put_together(before, done):
    raw = before + stream({"role": "assistant", "content": ""}, {"content": "hel"}, {"content": "lo"}, done=done)
    (reply,), spent = replies.read(asked(), raw, 0)
    assert (reply.text, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens) == ("hello", "stop", 7, 2)
    assert (spent.prompt_tokens, spent.completion_tokens) == (7, 2)


def test_traces_calls_and_parts_of_a_stream_are_put_together():
    begun = {"index": 0, "id": "c1", "function": {"name": "add", "arguments": '{"a"'}}
    raw = stream(
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"content": [{"type": "text", "text": "Wait"}]},
        {"content": "."},
        {"tool_calls": [begun]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
        finish="tool_calls",
    )
    (reply,), _ = replies.read(asked(), raw, 0)
    assert (reply.text, reply.reasoning_content, reply.finish_reason) == ("Wait.", "hm", "tool_calls")
    (call,) = json.loads(reply.tool_calls or "")
    assert (call["id"], call["function"]) == ("c1", {"name": "add", "arguments": '{"a": 1}'})


def test_choices_of_a_stream_are_told_apart_by_their_index():
    parts = [(1, "b"), (0, "a"), (1, "B"), (0, "A")]
    raw = b"".join(
        b"data: " + json.dumps({"choices": [{"index": i, "delta": {"content": text}}]}).encode() + b"\n\n"
        for i, text in parts
    )
    made, _ = replies.read(asked(2), raw + DONE, 0)
    assert [reply.text for reply in made] == ["aA", "bB"]


@pytest.mark.parametrize(
    "raw",
    [
        event({"content": "half"}),
        event({"content": "half"}) + event(error={"message": "out of memory"}),
        b"data: {\n\n" + DONE,
        b"data: 3\n\n" + DONE,
        DONE,
        b"data:",
        event({"content": 17}, "stop"),
    ],
)
def test_a_stream_that_was_broken_off_is_asked_for_again(raw):
    with pytest.raises(replies.Malformed):
        replies.read(asked(), raw, 0)


@given(st.lists(st.text(), min_size=1), st.sampled_from([b"\n", b"\r\n"]))
def test_any_texts_come_out_of_a_stream_as_they_went_in(texts, end):
    raw = b"".join(event({"content": text}).replace(b"\n", end) for text in texts) + event({}, "stop") + DONE
    (reply,), _ = replies.read(asked(), b": begins\n" + raw, 0)
    text = "".join(texts)
    assert reply.text == text or "<" in text or not text.strip()


def test_a_server_that_always_streams_answers_a_run():
    response = Response([stream({"content": "a ri"}, {"content": "ver"})])
    with Scripted(*[response] * 3) as server:
        desk = answered(server.url, groups(3), concurrency=1)
    assert {reply.text for reply in desk.replies.values()} == {"a river"}
    assert not any("stream" in body for body in server.asked)


# Too long -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 500])
def test_llama_cpps_context_shift_is_a_prompt_that_is_too_long(status):
    found = Complaint("context shift is disabled", "server_error", "")
    assert verdict(status, found) == "error" and about_prompt(found)
