"""Rewards and losses of answers that call tools: the model reads the calls as its chat template prints them."""

import pytest

from curate.models.model_ref import ModelRef
from tests.models.chat.styles import CHATML, LLAMA, QWEN
from tests.models.clients.test_reward_engines import (
    chat,
    classifier,
    loss_engine,
    losses_by_hand,
    replies,
    reward_engine,
)
from tests.optional import Lazy, needs

pytestmark = [needs("torch", "transformers", "peft"), pytest.mark.slow]
weights = Lazy("curate.models.weights")

CALL = {"id": "a", "type": "function", "function": {"name": "cat", "arguments": {"x": "é"}}}
MESSAGE = {"role": "assistant", "content": "", "tool_calls": [CALL]}
TOOLS = [{"type": "function", "function": {"name": "cat", "description": "d", "parameters": {}}}]
NO_CALLS = "the model's chat template prints no tool calls"


def with_template(engine, template):
    engine.tokenizer.chat_template = template
    return engine


def loss_of(engine, **ask):
    return replies(engine, [{"messages": chat("the cat"), **ask}], "loss")[0][0]


@pytest.mark.parametrize("template", [QWEN, LLAMA])
@pytest.mark.parametrize("tools", [None, TOOLS])
def test_the_loss_of_a_call_is_that_of_its_text(lively, template, tools):
    engine = with_template(loss_engine(lively), template)
    before = engine.tokenizer.apply_chat_template(chat("the cat"), tools, tokenize=False, add_generation_prompt=True)
    whole = engine.tokenizer.apply_chat_template([*chat("the cat"), MESSAGE], tools, tokenize=False)
    written = whole[len(before) :].removesuffix("\n")
    ends = [mark for mark in ("<|im_end|>", "<|eot_id|>") if mark in engine.tokenizer.get_vocab()]
    written = written.removesuffix("<|im_end|>" if "<|im_end|>" in ends else "")
    assert '"name": "cat"' in written
    model, tokenizer = weights.load(ModelRef("rm", "rm@0", str(lively)))
    context = tokenizer(before, add_special_tokens=False)["input_ids"]
    completion = tokenizer(written, add_special_tokens=False)["input_ids"]
    more = {"message": MESSAGE} | ({"tools": tools} if tools else {})
    for alone, given in ((False, context), (True, [engine.first])):
        reply = loss_of(engine, **more, **({"alone": True} if alone else {}))
        by_hand = losses_by_hand(model, given, completion)
        assert (reply.error, reply.completion_tokens) == (None, len(completion))
        assert reply.value == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-4)


def test_calls_that_cannot_be_printed_say_so(lively, tiny, tmp_path):
    for template, error in (
        (CHATML, NO_CALLS),
        (None, "the model has no chat template, which would print tools and tool calls"),
        (
            QWEN.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}"),
            "the chat template prints the response",
        ),
    ):
        engine = with_template(loss_engine(lively), template)
        assert (loss_of(engine, message=MESSAGE).error or "").startswith(error)
    rewards = reward_engine(classifier(tiny, tmp_path))
    for template, error in ((CHATML, NO_CALLS), (None, "the model has no chat template, which would print tool calls")):
        found, _ = replies(with_template(rewards, template), [{"messages": [*chat("the cat"), MESSAGE]}])
        assert found[0].error == error


def test_a_reward_of_calls_hangs_on_the_calls_and_the_tools(tiny, tmp_path):
    engine = with_template(reward_engine(classifier(tiny, tmp_path)), QWEN)
    other = {**MESSAGE, "tool_calls": [{**CALL, "function": {"name": "dog", "arguments": {}}}]}
    asks = [{"messages": [*chat("the cat"), one]} for one in (MESSAGE, other)]
    found, _ = replies(engine, [*asks, {**asks[0], "tools": TOOLS}])
    assert len({round(reply.value, 4) for reply in found}) == 3


def test_a_template_without_tools_reads_answers_without_them(tiny, lively, tmp_path):
    engine = with_template(reward_engine(classifier(tiny, tmp_path)), CHATML)
    ask = {"messages": chat("the cat", "sings")}
    found, _ = replies(engine, [ask, {**ask, "tools": TOOLS}])
    assert found[0].value == found[1].value
    losses = with_template(loss_engine(lively), CHATML)
    assert loss_of(losses, completion="sings").value == loss_of(losses, completion="sings", tools=TOOLS).value
    assert (
        loss_of(with_template(losses, QWEN), completion="sings", tools=TOOLS).value
        != loss_of(losses, completion="sings").value
    )
