"""The engine `openai` as a reward model: a stub of vLLM's pooling server that goes wrong, and one that does not."""

import json

import pytest

from curate.models.clients.http.classify import ClassifyEngine
from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.requests import Sampling, make_request
from tests.asking import Asked


def engine(url, labels=None):
    return ClassifyEngine(ModelRef("rm", "rm@1", "stub-1", "openai"), Progress(), url, labels=labels)


def asked(*asks):
    return Asked([[make_request("rm@1", json.dumps(ask), None, Sampling(), 0, "reward")] for ask in asks])


def conversations(count):
    return [
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "x" * i}]}
        for i in range(count)
    ]


def values(found, *asks):
    desk = asked(*asks)
    keys = [group[0].key for group in desk.waiting]
    by_key = desk.by(found)
    return [by_key[key].value for key in keys]


@pytest.mark.usefixtures("short_waits")
def test_each_conversation_has_its_reward_and_faults_are_retried(server_with):
    faults = {
        "429": {"every": 4, "retry_after": 0.02},
        "503": {"every": 5},
        "half_json": {"every": 6},
        "empty": {"every": 7},
        "drop": {"every": 8},
    }
    with server_with(faults=faults, key="k" * 20, delay=0.002) as stub:
        found = engine(stub.url)
        found._key = "k" * 20
        desk = asked(*conversations(60))
        keys = [group[0].key for group in desk.waiting]
        replies = desk.by(found)
        stats = stub.stats()
    rewards = [replies[key].value for key in keys]
    assert all(b - a == pytest.approx(0.01) for a, b in zip(rewards, rewards[1:], strict=False)), "a letter more each"
    assert set(stats["answered"].values()) == {1} and len(stats["faults"]) == 5 and stats["max_concurrent"] > 10
    assert all(replies[key].prompt_tokens > 20 for key in keys) and desk.spent.completion_tokens == 0
    assert desk.spent.prompt_tokens >= sum(replies[key].prompt_tokens for key in keys)


def test_the_output_is_raw_and_the_setting_chooses_the_label(server_with):
    with server_with() as stub:
        values(engine(stub.url), {"text": "a dog"})
        assert stub.stats()["last"] == {"model": "stub-1", "input": "a dog", "use_activation": False}
    with server_with(faults={"labels": {"count": 2}}) as stub:
        asks = [{"text": "x", "label": name} for name in ("toxic", "fine")]
        found = values(engine(stub.url, labels=["fine", "toxic"]), *asks)
        assert sum(found) == pytest.approx(1) and found[0] > found[1]
        assert stub.stats()["last"]["use_activation"] is True
        for settings, label, words in [
            ({}, None, "has 2 labels; name the one"),
            ({}, "toxic", "models.rm.labels"),
            ({"labels": ["fine", "toxic"]}, "toxi", "did you mean 'toxic'"),
        ]:
            ask = {"text": "x"} if label is None else {"text": "x", "label": label}
            with pytest.raises(UserError, match=words):
                values(engine(stub.url, **settings), ask)


def test_a_server_that_only_writes_is_told_from_a_pooling_server(server_with):
    with server_with(model="other") as stub, pytest.raises(UserError, match=r"HTTP 404: .*; is it a pooling server"):
        values(engine(stub.url), {"text": "x"})


def test_a_refused_conversation_is_an_error_of_its_own(server_with):
    with server_with(faults={"context": {"match": "xxxxx"}}) as stub:
        desk = asked(*conversations(8))
        replies = list(desk.by(engine(stub.url)).values())
    assert sum(reply.error is not None for reply in replies) == 3
    assert all("4096 tokens" in reply.error and not reply.transient for reply in replies if reply.error)


@pytest.mark.parametrize("tokens", [2**62, 10**30, "5", 5.0, -3, None, "many"], ids=str)
def test_a_count_that_cannot_be_one_costs_no_reward(tokens):
    ask = {"messages": [{"role": "user", "content": "hi"}]}
    (request,) = asked(ask).waiting[0]
    usage = 3 if tokens == "many" else {"prompt_tokens": tokens}
    raw = json.dumps({"data": [{"probs": ["0.25"]}], "usage": usage}).encode()
    (reply,), spent = engine("http://127.0.0.1:1/v1").read([request], raw, 400)
    assert (reply.value, reply.prompt_tokens) == (0.25, 5 if tokens in ("5", 5.0) else None)
    assert spent.prompt_tokens == (5 if tokens in ("5", 5.0) else 101)
