"""Bodies sent to an OpenAI-compatible server and replies read from it: strict, whatever the bytes are."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.models.clients.http import complaint, wire
from curate.models.clients.http.limits import FIRST_WAIT, LONGEST_WAIT, Pace, back_off, retry_after
from schemas.requests import Sampling, Spent, make_request

HI = json.dumps([{"role": "user", "content": "hi"}])


def asked(n=1, messages=HI, tools=None, **sampling):
    return [make_request("m", messages, tools, Sampling(**sampling), i) for i in range(n)]


def body(requests, limit="max_tokens", extra=None):
    return json.loads(wire.chat_body("m", requests, limit, json.dumps(extra or {})))


def answer(*messages, usage=None, **more):
    choices = [{"index": i, "message": m, "finish_reason": "stop"} | more for i, m in enumerate(messages)]
    return json.dumps({"choices": choices, "usage": usage}).encode()


def said(content, **more):
    return {"role": "assistant", "content": content} | more


def test_a_plain_body_holds_what_is_set_and_nothing_else():
    (one,) = asked(max_tokens=7, temperature=0.5)
    assert body([one]) == {
        "model": "m",
        "max_tokens": 7,
        "temperature": 0.5,
        "messages": json.loads(HI),
        "seed": int(one.key[:8], 16) & 0x7FFFFFFF,
    }
    assert body(asked(temperature=0)) == {"model": "m", "max_tokens": 256, "temperature": 0, "messages": json.loads(HI)}


def test_a_full_body_holds_every_setting():
    tool = {"type": "function", "function": {"name": "add", "parameters": {}}}
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    requests = asked(
        3,
        tools=json.dumps([tool]),
        top_p=0.9,
        top_k=40,
        stop=("END", "é"),
        logprobs=True,
        response_format=json.dumps(schema),
    )
    made = body(requests, "max_completion_tokens", {"temperature": 0.3, "chat_template_kwargs": {"enable": False}})
    assert "max_tokens" not in made and made["max_completion_tokens"] == 256
    assert (made["n"], made["top_p"], made["top_k"], made["stop"], made["logprobs"]) == (3, 0.9, 40, ["END", "é"], True)
    assert made["tools"] == [tool]
    assert made["response_format"]["json_schema"] == {"name": "reply", "schema": schema, "strict": True}
    assert made["temperature"] == 0.3 and made["chat_template_kwargs"] == {"enable": False}


def test_samples_differ_in_seed_and_the_recipes_seed_wins():
    assert len({body([one])["seed"] for one in asked(8)}) == 8
    assert body(asked(), extra={"seed": 5})["seed"] == 5


def test_a_prompt_body_goes_on_from_its_text():
    (one,) = asked(logprobs=True)
    made = json.loads(wire.prompt_body("m", [one], '<|im_start|>user\n"', "max_tokens", "{}"))
    assert made["prompt"] == '<|im_start|>user\n"' and "messages" not in made and made["logprobs"] == 1


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_sent(text):
    messages = json.dumps([{"role": "user", "content": text}], ensure_ascii=False)
    assert body(asked(messages=messages))["messages"][0]["content"] == text


def test_a_reply_is_read():
    raw = answer(
        said("hello"),
        usage={"prompt_tokens": 5, "completion_tokens": 2},
        logprobs={"content": [{"token": "a", "logprob": -1, "top_logprobs": []}, {"logprob": -0.5}]},
    )
    (one,) = asked()
    (reply,), spent = wire.read([one], raw, 100)
    assert (reply.key, reply.text, reply.finish_reason, reply.logprobs) == (one.key, "hello", "stop", (-1.0, -0.5))
    assert (reply.prompt_tokens, reply.completion_tokens, spent) == (5, 2, Spent(1, 5, 2))


@pytest.mark.parametrize(
    ("message", "trace", "text"),
    [
        (said("yes", reasoning_content="hm"), "hm", "yes"),
        (said("yes", reasoning="hm"), "hm", "yes"),
        (said(None, reasoning_content="hm"), "hm", ""),
        (said("<think>\nhm\n</think>\n\nyes"), "hm", "yes"),
        (
            said("Write</think>behind it, as in <think>x</think>."),
            None,
            "Write</think>behind it, as in <think>x</think>.",
        ),
        (said("yes", reasoning_content=""), None, "yes"),
        (said(None, refusal="no"), None, "no"),
        (said(""), None, ""),
    ],
)
def test_the_trace_is_kept_apart(message, trace, text):
    (reply,), _ = wire.read(asked(), answer(message), 0)
    assert (reply.reasoning_content, reply.text) == (trace, text)


def test_tool_calls_are_kept_as_json():
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}, "index": 0}
    (reply,), _ = wire.read(asked(), answer(said(None, tool_calls=[call]), finish_reason="tool_calls"), 0)
    assert reply.text == "" and reply.finish_reason == "tool_calls"
    (kept,) = json.loads(reply.tool_calls or "")
    assert (kept["id"], kept["function"]) == ("c1", {"name": "add", "arguments": '{"a": 1}'})


def test_a_content_filter_or_a_cut_trace_may_leave_no_content():
    for why in ("content_filter", "length"):
        (reply,), _ = wire.read(asked(), answer(said(None), finish_reason=why), 0)
        assert (reply.text, reply.finish_reason) == ("", why)


def test_choices_go_to_the_samples_by_their_index():
    raw = json.dumps({"choices": [{"index": i, "message": said(f"text {i}")} for i in (2, 0, 1)]}).encode()
    replies, spent = wire.read(asked(3), raw, 400)
    assert [r.text for r in replies] == ["text 0", "text 1", "text 2"]
    assert {r.completion_tokens for r in replies} == {None} and spent.requests == 1
    assert spent.prompt_tokens > 100 and spent.completion_tokens > 0  # a guess: the server did not count


def test_too_few_or_too_many_choices():
    raw = answer(said("a"), said("b"), usage={"prompt_tokens": 3, "completion_tokens": 9})
    replies, spent = wire.read(asked(3), raw, 0)
    assert len(replies) == 2 and sum(r.completion_tokens or 0 for r in replies) == 9 and spent == Spent(1, 3, 9)
    replies, spent = wire.read(asked(1), raw, 0)
    assert [r.text for r in replies] == ["a"] and spent == Spent(1, 3, 9)


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_follow_the_weights(total, weights):
    parts = wire.share(total, weights)
    assert sum(parts) == total and len(parts) == len(weights) and min(parts) >= 0
    assert all(abs(p - total * w / sum(weights)) <= 1 for p, w in zip(parts, weights, strict=True))


GOOD = answer(said("hello"), usage={"prompt_tokens": 5, "completion_tokens": 2})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"  ",
        GOOD[: len(GOOD) // 2],
        GOOD.replace(b"hello", b"\xff\xfe"),
        GOOD + b"x",
        b"null",
        b"[]",
        b"{}",
        b"<html>502 Bad Gateway</html>",
        b'{"choices": []}',
        b'{"choices": null}',
        answer(said(17)),
        answer(said(None)),
        answer({}),
        b'{"choices": [{"index": 0}]}',
        b'{"choices": [{"message": {"content": "\\ud800"}}]}',
        answer(said("x"), finish_reason="abort"),
        answer(said("x"), finish_reason=3),
        answer(said("x"), index=-1),
        answer(said("x"), usage={"prompt_tokens": -1}),
        answer(said("x"), usage={"completion_tokens": "9"}),
        answer(said("x", tool_calls=[{"function": {}}])),
        answer(said("x"), logprobs={"content": [{"logprob": None}]}),
        b'{"choices": [], "more": ' + b"[" * 100_000,
        GOOD[:-1] + b', "skipped": "\xff"}',
        b'{"error": {"message": "upstream died", "code": 502}}',
    ],
)
def test_what_is_no_reply_is_malformed(raw):
    with pytest.raises(wire.Malformed):
        wire.read(asked(), raw, 0)


def test_a_malformed_reply_has_its_cost_and_the_servers_words():
    with pytest.raises(wire.Malformed, match="without content") as found:
        wire.read(asked(), answer(said(None), usage={"prompt_tokens": 5, "completion_tokens": 2}), 0)
    assert found.value.usage == (5, 2)
    with pytest.raises(wire.Malformed, match="upstream died") as found:
        wire.read(asked(), b'{"error": {"message": "upstream died"}}', 0)
    assert found.value.usage is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "choices",
                    "message",
                    "content",
                    "usage",
                    "index",
                    "error",
                    "text",
                    "tool_calls",
                    "logprobs",
                    "function",
                    "prompt_tokens",
                    "code",
                    "detail",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode())
    | st.integers(0, len(GOOD)).map(lambda cut: GOOD[:cut] + b"\xf0" + GOOD[cut:])
)
def test_reading_raises_nothing_but_malformed(raw):
    try:
        replies, spent = wire.read(asked(2), raw, 50)
    except wire.Malformed:
        pass
    else:
        assert 1 <= len(replies) <= 2 and spent.requests == 1
        assert all(isinstance(r.text, str) for r in replies)
    what = complaint.complaint(raw)
    assert "\n" not in what.message and len(what.message) <= 2000
    assert complaint.verdict(400, what) in ("error", "stop") and complaint.verdict(500, what) == "retry"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"error": {"message": "too\\n long", "code": "c", "param": "p"}}', "too long"),
        (b'{"error": "model not found"}', "model not found"),
        (b'{"object": "error", "message": "bad", "code": 400}', "bad"),
        (b'{"detail": "Not Found"}', "Not Found"),
        (b"<h1>Bad\nGateway</h1>", "<h1>Bad Gateway</h1>"),
        (b'{"error": {"message": "a\\u001b[31mb\\u0000"}}', "a [31mb"),
        (b"", ""),
    ],
)
def test_errors_of_many_servers_are_read(raw, message):
    assert complaint.complaint(raw).message == message


def test_verdicts():
    plain, broke = complaint.Complaint("no", "", ""), complaint.Complaint("quota", "insufficient_quota", "")
    statuses = (301, 307, 400, 401, 402, 403, 404, 405, 408, 409, 413, 422, 429, 500, 502, 503, 529)
    meant = {status: complaint.verdict(status, plain) for status in statuses}
    assert {s for s, v in meant.items() if v == "stop"} == {301, 307, 401, 402, 403, 404, 405}
    assert {s for s, v in meant.items() if v == "error"} == {400, 413, 422}
    assert complaint.verdict(429, broke) == "stop"


@pytest.mark.parametrize(
    ("message", "refused"),
    [
        ("'n' : number must be at most 1", True),
        ("Only one completion choice is allowed", True),
        ("n must be 1 when using greedy sampling, got 4", True),
        ("This model's maximum context length is 4096 tokens", False),
        ("response_format is not supported", False),
    ],
)
def test_a_refusal_of_several_choices_is_recognised(message, refused):
    assert complaint.refuses_choices(complaint.Complaint(message, "", "")) == refused
    assert complaint.refuses_choices(complaint.Complaint("no", "", "n"))


@given(st.integers(1, 3000), st.lists(st.floats(0, 30), max_size=150))
def test_no_minute_has_more_than_the_limit(per_minute, gaps):
    pace, now, sent = Pace(per_minute), 0.0, []
    for gap in gaps:
        now += gap / per_minute  # someone comes; and waits for their turn
        now += pace.wait(now)
        pace.spend(now, 1)
        sent.append(now)
    for i, start in enumerate(sent):
        assert sum(start <= t < start + 59.999 for t in sent[i:]) <= per_minute


def test_a_limit_is_used_up_and_corrected():
    pace, now = Pace(600), 0.0
    for _ in range(1200):
        now += pace.wait(now)
        pace.spend(now, 1)
    assert 100 < now < 125
    pace.spend(now, 600)
    before = pace.wait(now)
    pace.correct(-600)
    assert before > 55 and pace.wait(now) < 2


def test_back_off_grows_to_a_bound():
    draws = {n: [back_off(n) for _ in range(200)] for n in (1, 4, 8, 1000)}
    assert max(draws[1]) <= FIRST_WAIT and FIRST_WAIT < max(draws[4]) <= FIRST_WAIT * 8
    assert max(draws[1000]) <= LONGEST_WAIT and min(draws[8]) < LONGEST_WAIT / 4 < max(draws[8])


def test_retry_after_in_all_its_forms():
    now = datetime(2026, 11, 24, 7, 0, 0, tzinfo=UTC)
    assert retry_after({"Retry-After": "30"}, now) == 30 and retry_after({"Retry-After": "0.2"}, now) == 0.2
    assert retry_after({"retry-after-ms": "1500", "Retry-After": "2"}, now) == 1.5
    assert retry_after({"Retry-After": "Tue, 24 Nov 2026 07:01:00 GMT"}, now) == 60
    assert retry_after({"Retry-After": "Tue, 24 Nov 2026 06:00:00 GMT"}, now) == 0
    for nonsense in ("", "soon", "-5", "nan", "inf", "Tue, 99 Nov"):
        assert not retry_after({"Retry-After": nonsense}, now)
    assert retry_after({}, now) is None
