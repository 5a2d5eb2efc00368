"""Messages of a row: what is read, what is refused with its reason, and how values are written as JSON."""

import json
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import BadRow, short_repr
from schemas.json_text import dump
from schemas.messages import ROLES, Message, answer_message, last_text, read_messages, with_reasoning
from schemas.tool_calls import read_tools

ASK: Message = {"role": "user", "content": "2+2?"}


def nested(depth):
    """A list in a list, so many times."""
    value = []
    for _ in range(depth):
        value = [value]
    return value


def test_dates_and_decimals_are_written_as_text():
    assert dump({"on": date(2024, 2, 29), "price": Decimal("1.50")}, "metadata") == '{"on":"2024-02-29","price":"1.50"}'


def test_a_value_nested_too_deeply_is_refused_and_can_be_shown():
    with pytest.raises(BadRow, match="'metadata' is nested too deeply"):
        dump(nested(100_000), "metadata")
    assert short_repr(nested(100_000)) == "(something nested too deeply to show)"


def test_text_parts_are_joined():
    parts = [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}]
    assert read_messages([{"role": "user", "content": parts}], "messages") == [ASK]


@pytest.mark.parametrize(
    ("calls", "words"),
    [
        (["add"], "a tool call is text; expected a mapping with name and arguments"),
        ([{"name": "add", "arguments": [1, 2]}], "a tool call's arguments are a list; expected a mapping"),
        ([{"function": "add"}], "a tool call without a name"),
    ],
)
def test_a_wrong_tool_call_is_refused(calls, words):
    turn = {"role": "assistant", "content": "", "tool_calls": calls}
    with pytest.raises(BadRow) as caught:
        read_messages([ASK, turn], "messages")
    assert words in str(caught.value) and "messages[1]" in str(caught.value)


def test_the_last_text_is_of_the_role_or_none():
    turns: list[Message] = [ASK, {"role": "assistant", "content": "4"}, {"role": "user", "content": "Sure?"}]
    assert (last_text(turns, "user"), last_text(turns, "assistant"), last_text(turns, "tool")) == ("Sure?", "4", None)


def read(*turns, **options):
    """The messages after a question."""
    first, *rest = read_messages([ASK, *turns], "messages", **options)
    assert first == ASK
    return rest


def call(**arguments):
    """One call in our form."""
    return {"type": "function", "function": {"name": "sky", "arguments": arguments}}


def said(text="", **more):
    """A message of the assistant."""
    return {"role": "assistant", "content": text, **more}


@pytest.mark.parametrize(
    ("role", "names"),
    [
        ("user", "user USER User human Human prompter"),
        ("assistant", "assistant Assistant ASSISTANT gpt chatgpt bing bard model bot ai AI CHATBOT"),
        ("tool", "tool function ipython observation tool_response tool-response FUNCTION_RESPONSE"),
        ("system", "system System"),
        ("developer", "developer"),
    ],
)
def test_roles_have_many_names(role, names):
    for name in [*names.split(), names.split()[0] + " "]:
        assert read_messages([{"role": name, "content": "x"}], "m") == [{"role": role, "content": "x"}]
        assert read_messages([{"from": name, "value": "x"}], "m") == [{"role": role, "content": "x"}]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "user", "content": "2+2?"},
        {"from": "human", "value": "2+2?"},
        {"role": "prompter", "text": "2+2?"},
        {"role": "user", "value": "2+2?"},
        {"speaker": "Human", "text": "2+2?"},
        {"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["2+2?"]}},
        {"role": "user", "parts": [{"text": "2+"}, {"text": "2?"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "2+2?"}]},
        {"role": "user", "content": ["2+", "2?"]},
        {"role": "user", "content": {"type": "text", "text": "2+2?"}},
        {"role": "user", "content": "2+2?", "name": None, "tool_calls": None, "function_call": None},
        {"role": ["user"], "content": ["2+2?"]},
    ],
)
def test_a_message_of_any_convention(turn):
    before = json.dumps(turn)
    assert read_messages(turn, "messages") == [ASK]
    assert json.dumps(turn) == before


def test_other_keys_of_a_message_are_kept():
    turn = {"role": "user", "content": "x", "from": "Ann", "weight": 0, "reasoning": "mine"}
    assert read_messages([turn], "m") == [turn]
    assert read(said("4", thinking={"budget": 100}, reasoning=True)) == [
        said("4", thinking={"budget": 100}, reasoning=True)
    ]


def test_numbers_are_texts():
    assert read({"role": "assistant", "content": 4}) == [said("4")]


def test_the_lists_of_a_mapping_are_messages():
    columns = {"from": ["human", "gpt"], "value": ["2+2?", "4"]}
    assert read_messages(columns, "conversations") == [ASK, said("4")]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("sunny", "sunny"),
        (None, ""),
        ({"text": "abc"}, '{"text":"abc"}'),
        (["Paris", "Rome"], '["Paris","Rome"]'),
        ([{"title": "ä"}], '[{"title":"ä"}]'),
        ([], "[]"),
        (4.5, "4.5"),
        (False, "false"),
        ([{"type": "text", "text": "sun"}, {"type": "text", "text": "ny"}], "sunny"),
        ([{"type": "file", "name": "a.txt"}], '[{"type":"file","name":"a.txt"}]'),
    ],
)
def test_a_tool_result_of_any_kind_is_a_text(given, text):
    turn = {"role": "tool", "content": given, "tool_call_id": "1"}
    assert read(turn) == [{"role": "tool", "content": text, "tool_call_id": "1"}]


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": None, "tool_calls": [call(at="X")]},
        {"role": "assistant", "content": "", "tool_calls": json.dumps([call(at="X")])},
        {"role": "assistant", "tool_calls": [{"name": "sky", "arguments": '{"at": "X"}'}]},
        {"role": "assistant", "content": None, "function_call": {"name": "sky", "arguments": '{"at": "X"}'}},
        {"role": "assistant", "content": None, "function_call": '{"name": "sky", "arguments": {"at": "X"}}'},
        {"role": "assistant", "function_call": {"name": "sky", "parameters": {"at": "X"}}, "tool_calls": []},
        {"role": "assistant", "function_call": {"name": "sky", "arguments": {"at": "X"}}, "tool_calls": [call(at="X")]},
        {"role": "tool_call", "content": '{"name": "sky", "arguments": {"at": "X"}}'},
        {"role": "tool_call", "content": {"name": "sky", "arguments": {"at": "X"}}},
        {"from": "function_call", "value": '[{"name": "sky", "arguments": {"at": "X"}}]'},
        {"role": "model", "parts": [{"functionCall": {"name": "sky", "args": {"at": "X"}}}]},
        {"role": "assistant", "content": [{"type": "tool_use", "name": "sky", "input": {"at": "X"}}]},
    ],
)
def test_a_tool_call_of_any_convention(turn):
    assert read(turn) == [said(tool_calls=[call(at="X")])]


def test_several_calls_in_one_message():
    both = [call(at="X"), call(at="Y")]
    text = json.dumps([one["function"] for one in both])
    assert read({"from": "function_call", "value": text}) == [said(tool_calls=both)]
    assert read(said(tool_calls=[both[0]], function_call=both[1]["function"])) == [said(tool_calls=both)]


def test_results_of_anthropic_and_gemini_are_messages_of_tools():
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "sunny"}]}
    tool = {"role": "tool", "content": "sunny", "tool_call_id": "1"}
    assert read({"role": "user", "content": [result]}) == [tool]
    after = {"type": "text", "text": "And X?"}
    assert read({"role": "user", "content": [result, after]}) == [tool, {"role": "user", "content": "And X?"}]
    both = [{"type": "tool_use", "name": "sky", "input": {"at": "X"}}, result]
    assert read(said(both)) == [said(tool_calls=[call(at="X")]), tool]
    assert read({"role": "user", "content": [result], "weight": 0}) == [{"weight": 0, **tool}]
    gemini = {"role": "user", "parts": [{"functionResponse": {"name": "sky", "response": {"at": "X"}}}]}
    assert read(gemini) == [{"role": "tool", "content": '{"at":"X"}', "name": "sky"}]


@pytest.mark.parametrize(
    "turn",
    [
        said("so", reasoning_content="why"),
        said("so", reasoning="why"),
        said("so", thinking="why"),
        said("so", thought="why"),
        said("so", thoughts=["why"]),
        said("so", reasoning="why", reasoning_content="why"),
        said("<think>\nwhy\n</think>\n\nso"),
        said("<think>why</think>so", reasoning_content="why"),
        {"from": "gpt", "value": "<|begin_of_thought|>why<|end_of_thought|><|begin_of_solution|>so<|end_of_solution|>"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "why"}, {"type": "text", "text": "so"}]},
        {"role": "assistant", "content": [{"type": "reasoning", "text": "why"}, {"type": "output_text", "text": "so"}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "why"}]},
                {"type": "text", "text": "so"},
            ],
        },
        {"role": "model", "parts": [{"text": "why", "thought": True}, {"text": "so"}]},
    ],
)
def test_a_reasoning_trace_is_kept_apart(turn):
    assert read(turn) == [said("so", reasoning_content="why")]
    assert read(turn, ASK)[0] == said("so", reasoning_content="why"), "in earlier messages too"


def test_different_traces_of_a_message_are_joined():
    assert read(said("<think>b</think>so", reasoning="a")) == [said("so", reasoning_content="a\n\nb")]
    assert read(said("so", thoughts=["a", {"text": "b"}])) == [said("so", reasoning_content="a\n\nb")]
    assert with_reasoning(answer_message("<think>b</think>so"), "a") == said("so", reasoning_content="a\n\nb")
    assert with_reasoning(answer_message("so"), " ") == said("so")


def test_only_the_assistant_has_traces():
    for role in ("user", "system", "tool"):
        turn = {"role": role, "content": "<think>why</think>so", "reasoning": "why"}
        assert read_messages([turn], "m") == [turn]


def test_an_answer_may_be_a_trace_or_calls_alone():
    assert read(said("<think>cut")) == [said("", reasoning_content="cut")]
    assert read(said(None, reasoning_content="I refuse.")) == [said("", reasoning_content="I refuse.")]
    thought = '<think>why</think>\n{"name": "sky"}'
    assert read({"from": "function_call", "value": thought}) == [said(reasoning_content="why", tool_calls=[call()])]
    assert answer_message("<think>cut") == said("", reasoning_content="cut")
    assert read(said(None, refusal="No.")) == [said("No.")]


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (said(None), "messages[1]: content is null; expected text"),
        ({"role": "assistant"}, "messages[1]: content is null; expected text"),
        (said(None, function_call=None, tool_calls=[]), "messages[1]: content is null; expected text"),
        ({"from": "function_call", "value": None}, "messages[1]: content is null; expected text"),
        (said("<think></think>"), "messages[1]: the assistant turn's content is empty"),
        (said(" ", reasoning_content=" "), "messages[1]: the assistant turn's content is empty"),
        (said({"a": 1}), "messages[1]: content is a mapping; expected text"),
        (said([{"type": "image_url", "image_url": "x"}]), "a part that is 'image_url'; only text parts are read"),
        ({"role": "tool", "content": [{"type": "image"}]}, "a part that is 'image'; only text parts are read"),
        (said([5]), "content has a part that is a number"),
        (said([{"inlineData": "x"}]), "content has a part with the keys 'inlineData'; only text parts are read"),
        ({"role": "tool_call", "content": "sky(X)"}, "messages[1]: a tool call is not JSON: 'sky(X)'"),
        ({"role": "critic", "content": "x"}, "messages[1]: no role 'critic'"),
        ({"text": "x"}, "messages[1] has no role: found the keys 'text'; expected role and content"),
    ],
)
def test_a_message_that_cannot_be_read_is_refused(turn, words):
    with pytest.raises(BadRow) as caught:
        read(turn)
    assert words in str(caught.value)
    with pytest.raises(BadRow):
        read_messages({"role": [], "content": []}, "messages")


names = st.sampled_from(
    "role from content value text parts type name function arguments tool_calls function_call reasoning thinking input"
    " tool_use_id functionCall functionResponse response id".split()
)
texts = st.sampled_from(
    ["", "x", "user", "assistant", "tool", "function_call", "text", "thinking", "tool_use", "tool_result", "image"]
) | st.sampled_from(['{"name": "f"}', "[1]", "<think>x", "null"])
anything = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.dictionaries(names, anything, max_size=5), max_size=3) | anything)
def test_any_value_is_messages_or_a_bad_row(value):
    before = json.dumps(value)
    try:
        found = read_messages(value, "messages")
    except BadRow as error:
        assert "\n" not in str(error)
        found = []
    for message in found:
        assert message["role"] in ROLES and isinstance(message["content"], str)
        assert isinstance(message.get("reasoning_content", ""), str) or message["role"] != "assistant"
        assert all(isinstance(one["function"]["arguments"], dict) for one in message.get("tool_calls", []))
    if found:
        assert read_messages(found, "messages") == found, "what is read is in our form"
    assert json.dumps(value) == before


@settings(max_examples=400, deadline=None)
@given(anything)
def test_any_value_is_tools_or_a_bad_row(value):
    try:
        tools = read_tools(value)
    except BadRow as error:
        assert "\n" not in str(error)
    else:
        assert tools is None or (tools and all(isinstance(tool, dict) for tool in tools))
