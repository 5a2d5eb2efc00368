"""Bodies sent to an OpenAI-compatible server, and when they may be sent."""

import json
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from curate.models.clients.http import wire
from curate.models.clients.http.limits import FIRST_WAIT, LONGEST_WAIT, Pace, back_off, retry_after
from schemas.requests import Sampling, make_request

HI = json.dumps([{"role": "user", "content": "hi"}])


def asked(n=1, messages=HI, tools=None, **sampling):
    return [make_request("m", messages, tools, Sampling(**sampling), i) for i in range(n)]


def body(requests, extra=None, **form):
    return json.loads(wire.chat_body(wire.Form("m", json.dumps(extra or {}), **form), requests))


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
    extra = {"temperature": 0.3, "chat_template_kwargs": {"enable": False}}
    made = body(requests, extra, limit="max_completion_tokens")
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
    made = json.loads(wire.prompt_body(wire.Form("m"), [one], '<|im_start|>user\n"'))
    assert made["prompt"] == '<|im_start|>user\n"' and "messages" not in made and made["logprobs"] == 1


@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_sent(text):
    messages = json.dumps([{"role": "user", "content": text}], ensure_ascii=False)
    assert body(asked(messages=messages))["messages"][0]["content"] == text


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
