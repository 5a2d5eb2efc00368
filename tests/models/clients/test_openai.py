"""The requests that the engine `openai` sends, and the replies that it makes of the answers."""

import json

import pytest

from schemas.requests import Sampling, Spent, make_request
from tests.models.clients.openai_desk import CALCULATOR, Desk, answered, engine, groups, refused, texts

pytestmark = pytest.mark.usefixtures("short_waits")


def test_what_is_spent_is_what_the_server_counted(good):
    desk = answered(good.url, groups(10, n=5), choices=2)
    assert desk.spent.requests == 30 and not desk.lost
    assert desk.spent.completion_tokens == sum(r.completion_tokens for r in desk.replies.values())
    assert desk.spent.completion_tokens == sum(len(r.text.split()) for r in desk.replies.values())
    assert desk.spent.prompt_tokens == sum(
        r.prompt_tokens for g in groups(10, n=5) for r in [desk.replies[g[i].key] for i in (0, 2, 4)]
    )
    assert {r.finish_reason for r in desk.replies.values()} == {"stop"}


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_wrong_number_of_choices(count, server_with):
    with server_with(faults={"choices": {"every": 2, "match": '"n":4', "count": count}}) as stub:
        desk = answered(stub.url, groups(n=4))
        stats = stub.stats()
    assert all(desk.replies[r.key].text for group in groups(n=4) for r in group)
    assert count > 4 or stats["choices"] == 24 * 4 + count * stats["faults"]["choices"], "a sample was paid for twice"
    assert len(set(texts(desk).values())) > 24 * 4 * 0.9  # samples of a prompt differ


@pytest.mark.parametrize("fault", ["refuse_n", "ignore_n"])
def test_a_server_without_n_is_asked_singly_from_then_on(fault, server_with):
    with server_with(faults={fault: {}}) as stub:
        desk = answered(stub.url, groups(n=4), concurrency=2)
        stats = stub.stats()
    again = 2 if fault == "ignore_n" else 0  # the two in flight, which might have come short for once
    assert stats["choices"] <= 24 * 4 + again and stats["requests"] <= 24 * 4 + 2 + again and "n" not in stats["last"]
    assert not any(r.error for r in desk.replies.values()) and desk.spent.requests == stats["choices"]


def test_greedy_samples_are_asked_singly(good):
    before = good.stats()["requests"]
    desk = answered(good.url, groups(2, n=3, temperature=0))
    assert good.stats()["requests"] == before + 6 and len(set(texts(desk).values())) == 2


def test_a_server_may_call_the_limit_max_completion_tokens(server_with):
    with server_with(faults={"max_completion_tokens": {}}) as stub:
        desk = answered(stub.url, groups(max_tokens=3), concurrency=4)
        stats = stub.stats()
    assert stats["last"]["max_completion_tokens"] == 3 and "max_tokens" not in stats["last"]
    assert stats["requests"] <= 24 + 4 and {r.finish_reason for r in desk.replies.values()} == {"length"}


def test_a_null_content_that_ended_is_an_empty_answer(server_with):
    with server_with(faults={"null": {"every": 2}}) as stub:
        desk = answered(stub.url, groups())
        assert stub.stats()["requests"] == 24 and not desk.lost
    found = [reply.text for reply in desk.replies.values()]
    assert found.count("") == stub.stats()["faults"]["null"] > 0 and None not in found


def test_nothing_to_do(good):
    assert answered(good.url, []).spent == Spent()


def test_settings_reach_the_server_and_its_answers_the_replies(good):
    schema = {"type": "object", "properties": {"score": {"type": "integer", "minimum": 1, "maximum": 5}}}
    wanted = groups(2, n=2, logprobs=True, top_p=0.9, top_k=5, stop=("END",), response_format=json.dumps(schema))
    desk = answered(good.url, wanted, extra_body={"priority": 3})
    for reply in desk.replies.values():
        assert 1 <= json.loads(reply.text)["score"] <= 5
        assert reply.logprobs and all(isinstance(p, float) and p < 0 for p in reply.logprobs)
    last = good.stats()["last"]
    assert (last["model"], last["n"], last["priority"], last["stop"]) == ("stub-1", 2, 3, ["END"])


def test_reasoning_and_tool_calls(good):
    aloud = answered(good.url, groups(2, text="think aloud {}")).replies.values()
    apart = answered(good.url, groups(2, text="think {}")).replies.values()
    for reply in (*aloud, *apart):
        assert reply.reasoning_content.startswith("so ") and "think" not in reply.text and reply.text
    for reply in answered(good.url, groups(2, n=2, tools=json.dumps([CALCULATOR]))).replies.values():
        (call,) = json.loads(reply.tool_calls)
        assert call["function"]["name"] == "add" and json.loads(call["function"]["arguments"]).keys() == {"a", "b"}
        assert reply.text == "" and reply.finish_reason == "tool_calls"


def test_a_users_turn_is_written_after_the_templates_prefix(good):
    bare = [
        [make_request("teacher@1", '[{"role":"user","content":null}]', None, Sampling(logprobs=True), i)]
        for i in range(3)
    ]
    desk = answered(good.url, bare, user_prefix="<|im_start|>user\n")
    assert good.stats()["last"]["prompt"] == "<|im_start|>user\n" and len(set(texts(desk).values())) == 3
    assert all(r.logprobs and r.completion_tokens for r in desk.replies.values())
    assert "models.teacher.user_prefix" in refused(good.url, bare)[0]
    after = [
        [
            make_request(
                "teacher@1", '[{"role":"system","content":"s"},{"role":"user","content":null}]', None, Sampling(), 0
            )
        ]
    ]
    assert "1 earlier turns" in refused(good.url, after, user_prefix="<|im_start|>user\n")[0]


def likely_tokens(url, **sampling):
    """The likely tokens of two replies that hold short answers, and of one that holds none."""
    texts = ["say exactly: I give it 7 of 10", "say exactly: B", "say exactly: nothing at all"]
    asked = [groups(1, text=text, **sampling)[0] for text in texts]
    desk = Desk(asked)
    engine(url, concurrency=1).answer(desk.take, desk.give)
    return [desk.replies[group[0].key] for group in asked]


def test_the_likeliest_tokens_in_the_place_of_short_answers(server_with):
    with server_with() as stub:
        found = likely_tokens(stub.url, top_logprobs=3)
        assert stub.stats()["last"]["top_logprobs"] == 3
    tops = [json.loads(reply.top_logprobs) for reply in found]
    assert [[one["token"] for one in top] for top in tops] == [["I", "7", "10"], ["B"], []]
    seven = tops[0][1]["top"]
    assert list(seven)[:3] == ["7", "0", "1"] and sorted(seven.values(), reverse=True) == list(seven.values())
    assert all(reply.logprobs is None for reply in found), "they were not asked for"


def test_a_server_that_refuses_logprobs_is_asked_without_them(server_with):
    with server_with(faults={"refuse_logprobs": {}}) as stub:
        found = likely_tokens(stub.url, top_logprobs=3)
        assert [(reply.text, reply.top_logprobs) for reply in found] == [
            ("I give it 7 of 10", None),
            ("B", None),
            ("nothing at all", None),
        ]
        assert stub.stats()["requests"] == 4 and all(reply.error is None for reply in found)
