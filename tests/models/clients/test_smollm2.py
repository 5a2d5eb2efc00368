"""The built-in model, really loaded: what it finds likely, and how unlikely it finds what others wrote."""

import json
import math
from typing import Any

import pytest

from curate.models.engine_settings import resolve_model
from curate.models.weight_files import BUILT_IN, installed
from schemas.progress import Progress
from schemas.recipe import Model
from schemas.requests import Sampling, make_request
from tests.asking import Asked

NAME = "smollm2-135m"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not installed(BUILT_IN[NAME][0]), reason=f"the package {BUILT_IN[NAME][0]} is not installed"),
]


@pytest.fixture(scope="module")
def ref():
    return resolve_model("student", Model(model=NAME))


def turns(text):
    return [{"role": "user", "content": text}]


def replies(engine, requests):
    found = Asked([[one] for one in requests]).by(engine)
    return [found[one.key] for one in requests]


def test_the_likeliest_tokens_are_those_at_temperature_1(ref):
    import torch

    from curate.models.clients.local.generate import GenerateEngine

    engine = GenerateEngine(ref, Progress())
    tokenizer: Any = engine.tokenizer
    model: Any = engine.model
    questions = ["How many legs does a cat have? Reply with the number only.", "Name a colour."]
    how = Sampling(temperature=0, max_tokens=8, top_logprobs=5)
    first, second = replies(engine, [make_request("s", json.dumps(turns(q)), None, how, 0) for q in questions])
    assert second.top_logprobs == "[]" and first.logprobs is None
    told = json.loads(first.top_logprobs)
    assert told, first.text
    # Read again: the text up to the first short answer, and what the model makes of its place.
    before = first.text[: first.text.index(told[0]["token"])]
    text = tokenizer.apply_chat_template(turns(questions[0]), tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text + before, return_tensors="pt", add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        chances = model(ids).logits[0, -1].log_softmax(-1).topk(5)
    by_hand = {tokenizer.decode([i]): c for i, c in zip(chances.indices, chances.values.tolist(), strict=True)}
    assert told[0]["top"] == pytest.approx(by_hand, abs=1e-3)


def test_a_loss_equals_a_plain_forward_and_ranks_right_answers(ref):
    import torch

    from curate.models.clients.local.loss import LossEngine

    engine = LossEngine(ref)
    tokenizer: Any = engine.tokenizer
    model: Any = engine.model
    assert engine.head_apart
    question = "What is the capital of France?"
    good, bad = "The capital of France is Paris.", "Blue of lamp the seven go."
    asks = [
        {"messages": turns(question), "completion": good},
        {"messages": [], "completion": good},
        {"messages": turns(question), "completion": bad},
    ]
    requests = [make_request("s", json.dumps(ask), None, Sampling(), 0, "loss") for ask in asks]
    after, alone, nonsense = replies(engine, requests)
    assert math.exp(after.value) < math.exp(alone.value) < math.exp(nonsense.value)
    text = tokenizer.apply_chat_template(turns(question), tokenize=False, add_generation_prompt=True)
    whole = tokenizer(text + good, return_tensors="pt", add_special_tokens=False)["input_ids"]
    labels = whole.clone()
    labels[:, : len(tokenizer(text, add_special_tokens=False)["input_ids"])] = -100
    with torch.no_grad():
        plain = model(whole, labels=labels).loss.item()
    assert after.value == pytest.approx(plain, abs=1e-4) and after.completion_tokens == (labels != -100).sum()
    assert after.completion_tokens == alone.completion_tokens
