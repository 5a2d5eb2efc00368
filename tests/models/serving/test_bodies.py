import json

import pytest

from curate.models.serving.bodies import chat_request, text_request
from schemas.errors import BadRow
from schemas.requests import Sampling

HELLO = [{"role": "user", "content": "hello"}]


def test_a_chat_body_is_a_request_with_its_sampling():
    body = {
        "model": "x",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]}],
        "temperature": 0.5,
        "max_tokens": 9,
        "seed": 4,
        "stop": ["\n", None, ""],
        "top_p": None,
    }
    found = chat_request(body, "m@1", 2)
    assert json.loads(found.messages) == HELLO and found.sample_index == 2 and found.task == "generate"
    assert found.sampling == Sampling(temperature=0.5, max_tokens=9, seed=4, stop=("\n",))
    assert found.key != chat_request(body, "m@2", 2).key


def test_a_text_is_another_request_than_a_turn_with_it():
    text = text_request({"prompt": "hello", "temperature": 0}, "m@1")
    assert text.turns == "hello" and text.excerpt == "'hello'"
    assert text_request({"prompt": ["hello"], "temperature": 0}, "m@1").key == text.key
    assert chat_request({"messages": HELLO, "temperature": 0}, "m@1").key != text.key


def test_token_ids_with_echo_ask_how_likely_they_are():
    found = text_request({"prompt": [[5, 6]], "echo": True, "logprobs": 1, "max_tokens": 1, "seed": 7}, "m@1")
    assert (found.task, json.loads(found.messages)) == ("tokens", {"ids": [5, 6]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"messages": []}, "messages: expected a list of messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, r"messages\[0\]: expected a mapping with a role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "found parts without text"),
        ({"messages": [{"role": "user", "content": None}]}, "expected text, found null"),
        ({"min_p": 0.1}, "'min_p': expected one of the parameters"),
        ({"temperature": float("nan")}, "temperature: expected a number from 0 to 100"),
        ({"temperature": True}, "temperature: expected a number"),
        ({"max_tokens": 0}, "max_tokens: expected a whole number from 1"),
        ({"max_tokens": 1e30}, "max_tokens: expected a whole number from 1"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"stop": [1]}, "stop: expected texts"),
        ({"stop": ["x"] * 65}, "stop: expected a text, or a list of at most 64"),
        ({"stream": True}, "expected one answer as a whole"),
        ({"n": 2}, "expected one answer as a whole"),
        ({"tools": "x"}, "tools: expected a list of mappings"),
    ],
)
def test_a_wrong_chat_body_is_refused(change, message):
    with pytest.raises(BadRow, match=message):
        chat_request({"messages": HELLO} | change, "m@1")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "expected a mapping, found a list"),
        ({}, "prompt: expected a text, found nothing"),
        ({"prompt": [1, 2]}, "prompt: expected a text, found a list"),
        ({"prompt": "x", "logprobs": 1}, "logprobs: expected with echo"),
        ({"prompt": "x", "echo": True, "logprobs": 1, "max_tokens": 1}, "expected a list of token ids"),
        ({"prompt": [1, True], "echo": True, "logprobs": 1, "max_tokens": 1}, "expected a list of token ids"),
        ({"prompt": [1], "echo": True, "logprobs": 5, "max_tokens": 1}, "expected with logprobs: 1"),
    ],
)
def test_a_wrong_text_body_is_refused(body, message):
    with pytest.raises(BadRow, match=message):
        text_request(body, "m@1")
