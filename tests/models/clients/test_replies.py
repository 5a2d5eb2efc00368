"""Replies read from the answers of an OpenAI-compatible server: strict about texts, whatever the bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.models.clients.http import complaint, replies
from curate.models.clients.http.refused_parameter import refused_parameter
from curate.models.clients.http.settings import OPTIONAL
from curate.models.clients.http.verdict import verdict
from schemas.finish_reasons import BAD_CALL
from schemas.requests import Sampling, Spent, make_request

HI = json.dumps([{"role": "user", "content": "hi"}])


def asked(n=1, messages=HI, tools=None, **sampling):
    return [make_request("m", messages, tools, Sampling(**sampling), i) for i in range(n)]


def answer(*messages, usage=None, **more):
    choices = [{"index": i, "message": m, "finish_reason": "stop"} | more for i, m in enumerate(messages)]
    return json.dumps({"choices": choices, "usage": usage}).encode()


def said(content, **more):
    return {"role": "assistant", "content": content} | more


def test_a_reply_is_read():
    raw = answer(
        said("hello"),
        usage={"prompt_tokens": 5, "completion_tokens": 2},
        logprobs={"content": [{"token": "a", "logprob": -1, "top_logprobs": []}, {"logprob": -0.5}]},
    )
    (one,) = asked()
    (reply,), spent = replies.read([one], raw, 100)
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
    (reply,), _ = replies.read(asked(), answer(message), 0)
    assert (reply.reasoning_content, reply.text) == (trace, text)


def test_tool_calls_are_kept_as_json():
    call = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}, "index": 0}
    (reply,), _ = replies.read(asked(), answer(said(None, tool_calls=[call]), finish_reason="tool_calls"), 0)
    assert reply.text == "" and reply.finish_reason == "tool_calls"
    (kept,) = json.loads(reply.tool_calls or "")
    assert (kept["id"], kept["function"]) == ("c1", {"name": "add", "arguments": '{"a": 1}'})


@pytest.mark.parametrize(
    "more", [{}, {"annotations": 3, "refusal": {"x": 1}}]
)  # the quick way of reading, and the other
@pytest.mark.parametrize("content", [None, "", "Wait."])
@pytest.mark.parametrize(
    ("legacy", "arguments"),
    [
        ({"name": "add", "arguments": '{"a": 1}'}, '{"a": 1}'),
        ({"name": "add", "arguments": {"a": 1}}, {"a": 1}),
        ({"name": "add"}, ""),
        ({"name": "", "arguments": ""}, None),
        ({}, None),
        (None, None),
    ],
)
def test_a_call_in_the_older_form_is_read(legacy, arguments, content, more):
    (reply,), _ = replies.read(asked(), answer(said(content, function_call=legacy, **more)), 0)
    assert reply.text == (content or "")
    if arguments is None:
        assert reply.tool_calls is None
    else:
        assert [one["function"] for one in json.loads(reply.tool_calls or "")] == [
            {"name": "add", "arguments": arguments}
        ]
    raw = answer(said(content, function_call={"name": "add"}, tool_calls=[CALL], **more), finish_reason="function_call")
    (reply,), _ = replies.read(asked(), raw, 0)
    assert len(json.loads(reply.tool_calls or "")) == 1 and reply.finish_reason == "tool_calls"


def test_a_mapping_of_arguments_with_nan_stays_text():
    raw = answer(said("", tool_calls=[{"function": {"name": "add", "arguments": {"a": float("nan")}}}]))
    (reply,), _ = replies.read(asked(), raw, 0)
    assert json.loads(reply.tool_calls or "")[0]["function"]["arguments"] == '{"a": NaN}'


def test_a_content_filter_or_a_cut_trace_may_leave_no_content():
    for why, named in [(one, one) for one in ("content_filter", "length")] + [("MALFORMED_FUNCTION_CALL", BAD_CALL)]:
        (reply,), _ = replies.read(asked(), answer(said(None), finish_reason=why), 0)
        assert (reply.text, reply.finish_reason) == ("", named)


def test_choices_go_to_the_samples_by_their_index():
    raw = json.dumps({"choices": [{"index": i, "message": said(f"text {i}")} for i in (2, 0, 1)]}).encode()
    made, spent = replies.read(asked(3), raw, 400)
    assert [r.text for r in made] == ["text 0", "text 1", "text 2"]
    assert {r.completion_tokens for r in made} == {None} and spent.requests == 1
    assert spent.prompt_tokens > 100 and spent.completion_tokens > 0  # a guess: the server did not count


def test_too_few_or_too_many_choices():
    raw = answer(said("a"), said("b"), usage={"prompt_tokens": 3, "completion_tokens": 9})
    made, spent = replies.read(asked(3), raw, 0)
    assert len(made) == 2 and sum(r.completion_tokens or 0 for r in made) == 9 and spent == Spent(1, 3, 9)
    made, spent = replies.read(asked(1), raw, 0)
    assert [r.text for r in made] == ["a"] and spent == Spent(1, 3, 9)


@given(st.integers(0, 10**9), st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_shares_add_up_and_follow_the_weights(total, weights):
    parts = replies.share(total, weights)
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
        b'{"choices": [null]}',
        answer(said(17)),
        answer(said({"a": 1})),
        answer(said([17])),
        answer(said([{"type": "text", "text": 17}])),
        answer(said([{"type": "image_url", "image_url": {"url": "x"}}])),
        answer(said(None), finish_reason=None),
        answer(said(None), finish_reason="tool_calls"),
        answer({}, finish_reason=None),
        answer("text"),
        b'{"choices": [{"index": 0}]}',
        answer(said("x"), finish_reason="abort"),
        answer(said("x"), finish_reason="ERROR"),
        answer(said("x"), finish_reason="insufficient_system_resource"),
        answer(said(None), finish_reason="network_error"),
        b'{"choices": [], "more": ' + b"[" * 100_000,
        GOOD[:-1] + b', "skipped": "\xff"}',
        b'{"error": {"message": "upstream died", "code": 502}}',
    ],
)
def test_what_is_no_reply_is_malformed(raw):
    with pytest.raises(replies.Malformed):
        replies.read(asked(), raw, 0)


CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def part(kind, **more):
    return {"type": kind} | more


@pytest.mark.parametrize(
    ("raw", "text", "trace"),
    [
        (answer(said(None)), "", None),
        (answer(said(None, reasoning_content="", tool_calls=[])), "", None),
        (answer({}), "", None),
        (answer(None), "", None),
        (answer(said([])), "", None),
        (answer(said([part("text", text="Par"), part("text", text="is")])), "Paris", None),
        (answer(said(["Par", part("output_text", text="is", annotations=[])])), "Paris", None),
        (answer(said(part("text", text="Paris"))), "Paris", None),
        (answer(said([{"text": "Paris"}])), "Paris", None),
        (answer(said([part("text", text={"value": "Paris", "annotations": []})])), "Paris", None),
        (answer(said([part("refusal", refusal="no")])), "no", None),
        (answer(said([part("image_url", image_url={}), part("text", text="Paris")])), "Paris", None),
        (
            answer(said([part("thinking", thinking=[part("text", text="hm")]), part("text", text="Paris")])),
            "Paris",
            "hm",
        ),
        (answer(said([part("thinking", thinking="hm", signature="x"), part("text", text="a")])), "a", "hm"),
        (answer(said([part("reasoning", text="hm"), part("redacted_thinking", data="x"), "a"])), "a", "hm"),
        (answer(said([{"text": "hm", "thought": True}, {"text": "a"}])), "a", "hm"),
        (answer(said([part("thinking", thinking="hm")])), "", "hm"),
        (answer(said("a", reasoning=[part("text", text="hm")])), "a", "hm"),
        (answer(said("a", reasoning={"text": "hm"})), "a", "hm"),
        (answer(said("a", reasoning_content=["h", "m"])), "a", "h\n\nm"),
        (answer(said("a", reasoning_content=None, reasoning=None)), "a", None),
        (b'{"choices": [{"message": {"content": "half \\ud83d, \\ud83d\\ude00"}}]}', "half \ufffd, \U0001f600", None),
        (b'{"choices": [{"message": {"content": "\\uDE00"}}]}', "\ufffd", None),
        (b'{"choices": {"message": {"content": "a"}}}', "a", None),
        (b'[{"choices": [{"message": {"content": "a"}}]}]', "a", None),
        (answer(said("a", thinking="hm")), "a", "hm"),
        (answer(said("a", reasoning_details=[part("reasoning.text", text="hm")])), "a", "hm"),
        (answer(said("a", reasoning_details=[part("reasoning.encrypted", data="x")])), "a", None),
        (b'{"choices": [{"text": null, "finish_reason": "stop"}]}', "", None),
        (answer(said("a", annotations=3, audio=None, tool_calls={}, refusal=None)), "a", None),
        (answer(said("a", tool_calls=None, refusal={"x": 1})), "a", None),
    ],
)
def test_a_reply_of_any_shape_is_read(raw, text, trace):
    (reply,), _ = replies.read(asked(), raw, 0)
    assert (reply.text, reply.reasoning_content, reply.tool_calls) == (text, trace, None)


@pytest.mark.parametrize(
    "more",
    [
        {"index": None},
        {"index": -1},
        {"index": "0"},
        {"index": 0.0},
        {"finish_reason": 3},
        {"finish_reason": None},
        {"logprobs": {"content": [{"logprob": None}]}},
        {"logprobs": {"content": [{"token": "a", "logprob": float("nan")}]}},
        {"logprobs": {"content": 3}},
        {"logprobs": []},
        {"logprobs": "none"},
        {"usage": {"prompt_tokens": -1}},
        {"usage": {"completion_tokens": None}},
        {"usage": {"completion_tokens": True, "prompt_tokens": "many"}},
        {"usage": []},
        {"usage": 3},
        {"stop_reason": 151645, "matched_stop": []},
    ],
)
def test_what_is_odd_beside_the_text_is_left_out(more):
    usage = more.pop("usage", None)
    (reply,), _ = replies.read(asked(), answer(said("x"), usage=usage, **more), 0)
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens, reply.logprobs) == ("x", None, None, None)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 5.0, "completion_tokens": 2.0},
        {"prompt_tokens": "5", "completion_tokens": "2"},
        {"prompt_tokens": 5, "completion_tokens": 2.4, "total_tokens": None, "cost": "0.1"},
    ],
)
def test_counts_of_tokens_may_be_floats_or_texts(usage):
    (reply,), spent = replies.read(asked(), answer(said("x"), usage=usage), 0)
    assert (reply.prompt_tokens, reply.completion_tokens, spent) == (5, 2, Spent(1, 5, 2))


@pytest.mark.parametrize("call", [{"function": {}}, {"function": {"name": None, "arguments": ""}}, {"id": 3}, "", {}])
def test_a_call_without_a_name_is_passed_on_as_such(call):
    (reply,), _ = replies.read(asked(), answer(said("x", tool_calls=[call])), 0)
    (kept,) = json.loads(reply.tool_calls or "")
    assert kept["function"] == {"name": "", "arguments": ""} and reply.text == "x"


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        (CALL | {"id": 17, "type": None}, '{"a": 1}'),
        ({"function": CALL["function"]}, '{"a": 1}'),
        ({"name": "add", "arguments": '{"a": 1}'}, '{"a": 1}'),
        (CALL | {"function": {"name": "add"}}, ""),
        (CALL | {"function": {"name": "add", "arguments": None}}, ""),
        (CALL | {"function": {"name": "add", "arguments": {"a": 1}}}, {"a": 1}),
        (CALL | {"function": {"name": "add", "arguments": [1]}}, "[1]"),
        (CALL | {"function": {"name": "add", "arguments": '{"a": '}}, '{"a": '),
    ],
)
def test_calls_may_lack_what_is_not_their_name(call, arguments):
    (reply,), _ = replies.read(asked(), answer(said(None, tool_calls=[call]), finish_reason="tool_calls"), 0)
    (kept,) = json.loads(reply.tool_calls or "")
    assert kept["function"] == {"name": "add", "arguments": arguments} and kept["type"] == "function"
    assert kept["id"] is None or kept["id"] == str(call["id"])


def test_a_call_among_the_parts_of_a_content_is_a_call():
    content = [part("text", text="Wait."), part("tool_use", id="t1", name="add", input={"a": 1})]
    (reply,), _ = replies.read(asked(), answer(said(content), finish_reason="tool_use"), 0)
    assert (reply.text, reply.finish_reason) == ("Wait.", "tool_calls")
    (kept,) = json.loads(reply.tool_calls or "")
    assert (kept["id"], kept["function"]) == ("t1", {"name": "add", "arguments": {"a": 1}})


def test_an_odd_reply_is_told_from_a_lost_one():
    odd = (answer(said(17)), answer(said(None), finish_reason=None), b'{"choices": [{"index": 0}]}', b"{}")
    for raw in (*odd, b'{"choices": []}', b'{"choices": null}', b'{"content": [{"type": "text", "text": "hi"}]}'):
        with pytest.raises(replies.Malformed) as found:
            replies.read(asked(), raw, 0)
        assert found.value.lasting
    busy = (b'{"error": {"message": "busy"}}', b'{"choices": [], "error": {"message": "busy"}}', b'{"error": "busy"}')
    for raw in (b"", GOOD[:-9], b"null", b"<html>", *busy, GOOD + b"x"):
        with pytest.raises(replies.Malformed) as found:
            replies.read(asked(), raw, 0)
        assert not found.value.lasting


@pytest.mark.parametrize(
    ("given", "kept"),
    [("stub-2", "stub-2"), ("m", None), (None, None), ("", None), (3, None), ("m-2026-01-01", "m-2026-01-01")],
)
def test_the_model_that_answered_is_kept_where_it_differs(given, kept):
    raw = json.dumps({"model": given, "choices": [{"message": said("x")}]}).encode()
    (reply,), _ = replies.read(asked(), raw, 0, "m")
    assert reply.answered_by == kept
    assert ("answered_by" in reply.record()) == (kept is not None)


@pytest.mark.parametrize(
    ("given", "kept"), [("MAX_TOKENS", "length"), ("end_turn", "stop"), ("tool_use", "tool_calls"), ("", None)]
)
def test_finish_reasons_have_openais_names(given, kept):
    (reply,), _ = replies.read(asked(), answer(said("x"), finish_reason=given), 0)
    assert reply.finish_reason == kept


def test_a_malformed_reply_has_its_cost_and_the_servers_words():
    usage = {"prompt_tokens": 5, "completion_tokens": 2}
    with pytest.raises(replies.Malformed, match="without content") as found:
        replies.read(asked(), answer(said(None), usage=usage, finish_reason=None), 0)
    assert found.value.usage == (5, 2)
    with pytest.raises(replies.Malformed, match="upstream died") as found:
        replies.read(asked(), b'{"error": {"message": "upstream died"}}', 0)
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
        made, spent = replies.read(asked(2), raw, 50)
    except replies.Malformed:
        pass
    else:
        assert 1 <= len(made) <= 2 and spent.requests == 1
        assert all(isinstance(r.text, str) for r in made)
    what = complaint.complaint(raw)
    assert "\n" not in what.message and len(what.message) <= 2000
    assert verdict(400, what) in ("error", "stop") and verdict(500, what) in ("retry", "error", "stop")
    assert refused_parameter(what, OPTIONAL) in (None, *OPTIONAL)
