"""Whatever a server sends is a reply, an answer that can't be read, or its complaint; never another error."""

import json
from typing import Any, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from curate.models.clients.http import replies
from curate.models.clients.http.classify import ClassifyEngine
from curate.models.clients.http.complaint import complaint, status_in_body
from curate.models.clients.http.limits import retry_after
from curate.models.clients.http.refused_parameter import refused_parameter
from curate.models.clients.http.settings import OPTIONAL
from curate.models.clients.http.sse import Lines, read_chunk
from curate.models.clients.http.verdict import verdict
from schemas.requests import Reply, Sampling, make_request
from tests.fuzz.fuzzing import fuzz, works_or_says_why
from tests.fuzz.mutations import TOKENS, blobs, values
from tests.streaming_server import DONE, event

pytestmark = pytest.mark.slow


HI = json.dumps([{"role": "user", "content": "hi"}])
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}
LOGPROBS = {"content": [{"token": "a", "logprob": -1.5, "top_logprobs": [{"token": "b", "logprob": -2}]}]}
USAGE = {"prompt_tokens": 5, "completion_tokens": 2}
ANSWERS: list[Any] = [
    {
        "id": "1",
        "object": "chat.completion",
        "model": "m",
        "usage": USAGE,
        "choices": [{"index": i, "message": message, "finish_reason": "stop", "logprobs": LOGPROBS}],
    }
    for i, message in enumerate(
        (
            {"role": "assistant", "content": "hello"},
            {"role": "assistant", "content": "<think>\nhm\n</think>\n\nyes", "refusal": None},
            {"role": "assistant", "content": None, "tool_calls": [CALL, CALL], "reasoning_content": "hm"},
            {
                "role": "assistant",
                "content": None,
                "function_call": CALL["function"],
                "reasoning_details": [{"text": "x"}],
            },
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": [{"text": "b"}]}],
            },
        )
    )
]
ANSWERS += [{"choices": [{"text": "plain", "logprobs": {"token_logprobs": [None, -1]}}], "usage": USAGE}]
ANSWERS += [{"object": "list", "data": [{"index": 0, "probs": [0.5, 0.5]}], "usage": {"prompt_tokens": 3}}]
ERRORS: list[Any] = [
    {
        "error": {
            "message": "This model's maximum context length is 10 tokens",
            "type": "invalid",
            "code": "context",
            "param": "n",
        }
    },
    {"detail": [{"loc": ["body", "messages", 0, "content"], "msg": "field required", "type": "missing"}]},
    [
        {
            "error": {
                "code": 400,
                "message": "bad",
                "details": [{"fieldViolations": [{"field": "seed", "description": "no"}]}],
            }
        }
    ],
    {
        "error": {
            "message": "Provider",
            "code": 502,
            "metadata": {"raw": '{"error": {"message": "no"}}', "reasons": ["x"]},
        }
    },
    {
        "error": {
            "message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'",
            "innererror": {"content_filter_result": {}},
        }
    },
]
STREAM = b"".join(
    (
        event({"role": "assistant", "content": ""}),
        event({"reasoning_content": "h"}),
        event({"content": "hel"}),
        event({"content": [{"type": "text", "text": "lo"}]}),
        event({"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        event({"content": "\u2028\u0085x"}),
        event({}, "stop"),
        event(usage=USAGE),
        DONE,
    )
)
BODIES = [json.dumps(value).encode() for value in (*ANSWERS, *ERRORS)] + [
    STREAM,
    STREAM.replace(b"\n", b"\r\n"),
    b": ping\n\n" + STREAM,
]
as_json = values([*ANSWERS, *ERRORS]).map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass"))
bodies = st.one_of(
    as_json, as_json.map(lambda body: b"data: " + body + b"\n\n" + STREAM), blobs(BODIES), st.binary(max_size=40)
)
bare = ClassifyEngine.__new__(ClassifyEngine)  # no server: only ``read`` is tried
bare.labels, bare.name = ["yes", "no"], "m"


def asked(samples: int, **how: Any) -> list[Any]:
    return [make_request("m", HI, None, Sampling(**how), i) for i in range(samples)]


DEEP = json.dumps(ANSWERS[0]).replace('"hello"', f'"", "reasoning_details": {"[" * 600}1{"]" * 600}').encode()


@fuzz(150)
@given(bodies, st.integers(1, 3), st.sampled_from([{}, {"logprobs": True}, {"top_logprobs": 2}]))
@example(DEEP, 1, {})  # ended a run: the trace was read level by level
def test_any_body_is_replies_or_malformed(raw, samples, how):
    with works_or_says_why("wire", replies.Malformed):
        made, spent = replies.read(asked(samples, **how), raw, len(raw), "m")
        assert made and all(isinstance(one, Reply) and isinstance(one.text, str) for one in made)
        assert all((one.text or "").encode() is not None for one in made), "it can be stored"
        assert spent.requests == 1 and spent.prompt_tokens >= 0 and spent.completion_tokens >= 0


@fuzz(150)
@given(bodies)
def test_any_body_is_a_reward_or_malformed(raw):
    one = make_request("m", json.dumps({"messages": [], "label": "yes"}), None, Sampling(), 0)
    with works_or_says_why("wire", replies.Malformed):
        (made,), _ = bare.read([one], raw, len(raw))
        assert made.error or isinstance(made.value, float)


@fuzz(100)
@given(bodies, st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_a_stream_cut_anywhere_has_chunks_or_is_malformed(raw, sizes):
    with works_or_says_why("wire", replies.Malformed):
        lines, at, cut = Lines(), 0, 0
        while at < len(raw):
            size = sizes[cut % len(sizes)]
            for data in lines.add(raw[at : at + size]):
                if data != b"[DONE]":
                    read_chunk(data).text.encode()
            at, cut = at + size, cut + 1


@fuzz(100)
@given(bodies, st.sampled_from([200, 400, 401, 403, 404, 413, 422, 429, 500, 503, 529, 999]), st.booleans())
def test_any_refusal_is_understood(raw, status, answered):
    with works_or_says_why("wire"):
        found = complaint(raw)
        assert (
            all(isinstance(text, str) for text in found) and found.message.isprintable() and len(found.message) <= 2000
        )
        assert verdict(status, found, answered=answered) in ("stop", "retry", "error", "doubt")
        refused_parameter(found, OPTIONAL, prompt=HI)
        assert status_in_body(raw) is None or 400 <= cast(int, status_in_body(raw)) < 600


@fuzz(60)
@given(
    st.one_of(st.sampled_from(TOKENS), st.text(max_size=20)),
    st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset"]),
)
def test_any_retry_after_is_a_wait(value, name):
    with works_or_says_why("wire"):
        wait = retry_after({name: value, name.title(): value})
        assert wait is None or wait >= 0
