"""The engine `openai` and servers that refuse: a parameter is learnt, a prompt is a row's error, a key ends the run."""

import json
from dataclasses import astuple

import pytest

from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.models.clients.openai_desk import CALCULATOR, Desk, answered, engine, groups, refused, texts

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_waits")]


class Sayings(Progress):
    """Keeps what is said."""

    def __init__(self):
        self.said = []

    def say(self, message):
        self.said.append(message)


def asked_of(url, wanted, **settings):
    """Have the groups answered by a model of which something is learnt; return the desk and what was said."""
    desk, progress = Desk(wanted), Sayings()
    engine(url, progress, **settings).answer(desk.take, desk.give)
    assert not desk.out and len(desk.replies) == sum(map(len, wanted))
    return desk, progress.said


# A parameter ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 404, 422, 500])
@pytest.mark.parametrize("shape", ["openai", "pydantic", "words"])
def test_a_parameter_is_left_out_after_one_refusal(shape, status, server_with):
    with server_with(faults={"lacks": {"names": ["seed", "top_k"], "status": status, "shape": shape}}) as stub:
        desk, said = asked_of(stub.url, groups(8, top_k=5), concurrency=1)
        stats = stub.stats()
    assert not any(reply.error for reply in desk.replies.values()) and len(said) == 2
    assert stats["requests"] == 8 + 2 and {"seed", "top_k"}.isdisjoint(stats["last"])
    assert desk.spent.requests == 8 and not any(map(any, map(astuple, desk.lost)))
    assert said[0].startswith("models.teacher: the server refused a parameter; gristmill leaves out ")


@pytest.mark.parametrize("name", ["temperature", "top_p", "response_format", "seed"])
def test_every_optional_parameter_may_be_lacking(name, server_with):
    wanted = groups(3, top_p=0.5, response_format='{"type": "object"}', temperature=0.5)
    with server_with(faults={"lacks": {"names": [name], "status": 422}}) as stub:
        desk, said = asked_of(stub.url, wanted, concurrency=1)
        assert stub.stats()["requests"] == 4 and name not in stub.stats()["last"]
    assert len(said) == 1 and f"leaves out {name} from now on" in said[0]
    assert not any(reply.error for reply in desk.replies.values())


@pytest.mark.parametrize("names", [["max_tokens"], ["max_tokens", "max_completion_tokens"]])
def test_the_limit_is_renamed_and_left_out_at_last(names, server_with):
    with server_with(faults={"lacks": {"names": names, "status": 422, "shape": "pydantic"}}) as stub:
        asked_of(stub.url, groups(4), concurrency=1)
        stats = stub.stats()
    assert stats["requests"] == 4 + len(names) and set(names).isdisjoint(stats["last"])
    assert ("max_completion_tokens" in stats["last"]) == (len(names) == 1)


def test_requests_in_flight_together_learn_it_once(server_with):
    with server_with(faults={"lacks": {"names": ["seed", "n"], "status": 422}}, delay=0.01) as stub:
        desk, said = asked_of(stub.url, groups(24, n=4), concurrency=16)
        assert stub.stats()["choices"] == 24 * 4
    assert len(said) == 2 and not any(reply.error for reply in desk.replies.values())


def test_messages_in_flight_together_get_the_form_that_is_wanted(server_with):
    turns = [{"role": "assistant", "content": "", "tool_calls": [{"id": "a", "function": {"name": "w"}}]}]
    turns += [{"role": "tool", "content": "sunny", "name": "w"}]
    wanted = [
        [make_request("teacher@1", json.dumps([{"role": "user", "content": str(i)}, *turns]), None, Sampling(), 0)]
        for i in range(24)
    ]
    message = "'messages.2': property 'name' is unsupported"
    faults = {"422": {"match": '"name":"w","tool_call_id"', "message": message, "times": 0}}
    with server_with(faults=faults, delay=0.01) as stub:
        desk, said = asked_of(stub.url, wanted, concurrency=16)
    assert len(said) == 1 and not any(reply.error for reply in desk.replies.values())


def test_settings_leave_parameters_out_up_front(server_with):
    settings = {"leave_out": ["seed", "n", "top_k"], "max_tokens_name": "max_completion_tokens"}
    with server_with(faults={"lacks": {"names": ["seed", "n", "top_k", "max_tokens"]}}) as stub:
        _, said = asked_of(stub.url, groups(3, n=2, top_k=5), **settings)
        assert stub.stats()["requests"] == 6 and not said
        assert stub.stats()["last"].keys() == {"model", "messages", "temperature", "max_completion_tokens"}


def test_stop_texts_end_a_reply_without_the_server(server_with):
    wanted = groups(1, text="say exactly: one two END three", stop=("END", "three"), max_tokens=20)
    with server_with(faults={"lacks": {"names": ["stop"]}}) as stub:
        desk, _ = asked_of(stub.url, wanted)
    (reply,) = desk.replies.values()
    assert (reply.text, reply.finish_reason) == ("one two ", "stop")


def test_logprobs_that_the_step_needs_are_an_error_that_says_so(server_with):
    with server_with(faults={"lacks": {"names": ["logprobs"], "status": 422}}) as stub:
        said, desk = refused(stub.url, groups(4, logprobs=True), concurrency=1)
        assert "the step needs logprobs, and the server does not take it (HTTP 422: Unsupported" in said
        said, _ = refused(stub.url, groups(4, logprobs=True), leave_out=["logprobs"])
    assert "the step needs logprobs, which is left out" in said and not desk.replies


def test_tools_are_never_left_out(server_with):
    with server_with(faults={"lacks": {"names": ["tools"], "status": 404, "shape": "words"}}) as stub:
        wanted = groups(2) + groups(2, tools=json.dumps([CALCULATOR]))
        desk, said = asked_of(stub.url, wanted, concurrency=1)
    failed = [reply for reply in desk.replies.values() if reply.error]
    assert len(failed) == 2 and not said and all("tools" in reply.error and not reply.transient for reply in failed)


def test_what_extra_body_sends_is_not_left_out(server_with):
    with server_with(faults={"lacks": {"names": ["seed"]}}) as stub:
        desk, said = asked_of(stub.url, groups(2), extra_body={"seed": 5})
    assert not said and all("'seed'" in reply.error for reply in desk.replies.values())


# A prompt -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("message", ["Input was flagged by moderation", "Forbidden", "odd"])
@pytest.mark.parametrize("place", [0, 7])
def test_one_flagged_prompt_is_its_rows_error(place, message, concurrency, server_with):
    faults = {"403": {"match": f"prompt {place} ", "times": 0, "message": message}}
    with server_with(faults=faults) as stub:
        desk, _ = asked_of(stub.url, groups(), concurrency=concurrency)
        assert stub.stats()["requests"] == 24
    (failed,) = [reply for reply in desk.replies.values() if reply.error]
    assert f"HTTP 403: {message}" in failed.error and not failed.transient and failed.text is None


def test_a_bare_403_to_the_first_prompts_ends_the_run(server_with):
    with server_with(faults={"403": {"times": 0}}) as stub:
        said, desk = refused(stub.url, groups(60), concurrency=1)
        assert stub.stats()["requests"] == 3
    assert "HTTP 403: fault 403; the prompt: 'prompt 2 please'" in said and len(desk.replies) == 2


def test_quick_bare_403s_wait_for_the_others_in_flight(server_with):
    wanted = groups(3, text="odd {}") + groups(21)
    with server_with(faults={"403": {"match": "odd ", "times": 0}}, delay=0.01) as stub:
        desk = answered(stub.url, wanted, concurrency=24)
    assert len([reply for reply in desk.replies.values() if reply.error]) == 3
    with server_with(faults={"403": {"times": 0}}, delay=0.01) as stub:
        said, desk = refused(stub.url, wanted, concurrency=24)
    assert "HTTP 403" in said and len(desk.replies) == 23


@pytest.mark.parametrize(
    ("status", "message", "unclear"),
    [
        ("400", "odd", True),
        ("422", "odd", True),
        ("400", "Input was flagged", False),
        ("400", "this model does not support tools", False),
        ("413", "odd", False),
        ("403", "odd", False),
    ],
)
def test_a_refusal_without_a_word_about_the_prompt_is_unclear(status, message, unclear, server_with):
    with server_with(faults={status: {"match": "prompt 7 ", "times": 0, "message": message}}) as stub:
        desk, _ = asked_of(stub.url, groups())
    (failed,) = [reply for reply in desk.replies.values() if reply.error]
    assert failed.unclear is unclear and not failed.transient


def test_parameters_that_no_provider_takes_name_the_remedy(server_with):
    message = "No endpoints found that can handle the requested parameters."
    with server_with(faults={"404": {"times": 0, "message": message}}) as stub:
        said, _ = refused(stub.url, groups(4))
    assert f"{message}; what the server does not take is left out with leave_out: [seed, ...]" in said


def test_a_wrong_schema_ends_the_run(server_with):
    message = "Invalid schema for response_format 'reply': 'additionalProperties' is not permitted."
    with server_with(faults={"400": {"times": 0, "message": message, "param": "response_format"}}) as stub:
        said, desk = refused(stub.url, groups(4, response_format='{"type": "object"}'), concurrency=1)
    assert message in said and not desk.replies


def test_a_403_that_names_the_key_ends_the_run_at_once(server_with):
    for match in ("prompt 0 ", "prompt 9 "):
        with server_with(faults={"403": {"match": match, "message": "Key limit exceeded", "times": 0}}) as stub:
            said, desk = refused(stub.url, groups(24), concurrency=1)
        assert "Key limit exceeded" in said and len(desk.replies) == int(match.split()[1])


def test_a_key_that_is_withdrawn_later_ends_the_run(server_with):
    wanted = groups(4) + groups(40, text="late x {}")
    with server_with(faults={"403": {"match": "late x", "times": 0}}) as stub:
        said, desk = refused(stub.url, wanted, concurrency=1)
    assert "HTTP 403" in said and len([r for r in desk.replies.values() if r.error]) == 7


def test_a_run_whose_every_prompt_is_refused_ends(server_with):
    with server_with(faults={"422": {"times": 0, "message": "odd"}}) as stub:
        said, desk = refused(stub.url, groups(60), concurrency=2)
    assert "HTTP 422: odd; what the server does not take is left out with leave_out: [seed, ...]" in said
    assert len(desk.replies) < 12
    with server_with(faults={"context": {}}) as stub:
        assert all("HTTP 400" in r.error for r in answered(stub.url, groups(60), concurrency=2).replies.values())


def test_an_error_with_the_status_200_is_an_error(server_with):
    error = {"message": "flagged", "code": 403, "metadata": {"reasons": ["x"]}}
    with server_with(faults={"raw": {"match": "prompt 7 ", "times": 0, "body": {"error": error}}}) as stub:
        desk, _ = asked_of(stub.url, groups())
        assert stub.stats()["requests"] == 24
    (failed,) = [reply for reply in desk.replies.values() if reply.error]
    assert "HTTP 403: flagged" in failed.error and not failed.transient


# An odd reply ---------------------------------------------------------------------------------------------------------


def test_a_reply_that_stays_odd_is_asked_for_twice(server_with):
    with server_with(faults={"types": {"match": "prompt 7 ", "times": 0}}) as stub:
        desk, _ = asked_of(stub.url, groups())
        assert stub.stats()["requests"] == 23 + 2
    (failed,) = [reply for reply in desk.replies.values() if reply.error]
    assert "a reply that can't be read" in failed.error and failed.error.endswith("(2 attempts)")
    assert not failed.transient and len(desk.lost) == 2


def test_a_server_whose_replies_are_all_odd_is_given_up(server_with):
    with server_with(faults={"types": {"times": 0}}) as stub:
        said, desk = refused(stub.url, groups(60), concurrency=2)
    assert "8 requests in a row have failed" in said and len(desk.replies) < 12


def test_the_name_of_the_model_that_answered_is_kept(server_with):
    body = {"model": "stub-2", "choices": [{"message": {"content": "hi"}, "finish_reason": "EOS"}]}
    with server_with(faults={"raw": {"match": "prompt 7 ", "body": body}}) as stub:
        desk, _ = asked_of(stub.url, groups())
    named = [reply for reply in desk.replies.values() if reply.answered_by]
    assert [(one.answered_by, one.text, one.finish_reason) for one in named] == [("stub-2", "hi", "stop")]


# What is sent ---------------------------------------------------------------------------------------------------------

HISTORY = [
    {"role": "user", "content": "Weather in Rome?"},
    {
        "role": "assistant",
        "content": "",
        "reasoning_content": "hm",
        "weight": 0,
        "tool_calls": [{"type": "function", "function": {"name": "w", "arguments": {"city": "Rome"}}}],
    },
    {"role": "tool", "content": "sunny"},
]


def test_stored_messages_are_sent_in_openais_form(good):
    wanted = [[make_request("teacher@1", json.dumps(HISTORY), None, Sampling(), 0)]]
    assert texts(answered(good.url, wanted))
    user, calling, result = good.stats()["last"]["messages"]
    assert user == HISTORY[0] and calling.keys() == {"role", "content", "tool_calls"} and calling["content"] is None
    (call,) = calling["tool_calls"]
    assert call["function"] == {"name": "w", "arguments": '{"city": "Rome"}'}
    assert result == {"role": "tool", "content": "sunny", "tool_call_id": call["id"]}
    answered(good.url, wanted, send_reasoning=True)
    assert good.stats()["last"]["messages"][1]["reasoning_content"] == "hm"
