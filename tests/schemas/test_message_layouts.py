"""Messages as exports, trainers and Arrow write them: null calls, parallel calls, flags, parts, authors."""

import pytest

from schemas.errors import BadRow
from schemas.messages import Message, read_messages
from schemas.reasoning import REASONING_FLAGS

ASK: Message = {"role": "user", "content": "2+2?"}
SAID: Message = {"role": "assistant", "content": "4"}


def call(at, **more):
    """One call in our form."""
    return {"type": "function", "function": {"name": "sky", "arguments": {"at": at}}, **more}


def turn(at, **more):
    """A turn that is a call, as ms-swift writes it."""
    return {"role": "tool_call", "content": f'{{"name": "sky", "arguments": {{"at": "{at}"}}}}', **more}


@pytest.mark.parametrize(
    "calls",
    [
        {"function_call": {"name": None, "arguments": None}},
        {"function_call": {"name": "", "arguments": ""}},
        {"function_call": {}},
        {"function_call": "none"},
        {"function_call": "null"},
        {"function_call": []},
        {"tool_calls": [None]},
        {"tool_calls": []},
        {"tool_calls": [{}]},
        {"tool_calls": {}},
        {"tool_calls": "[]"},
        {"tool_calls": [{"id": None, "type": None, "function": {"name": None, "arguments": None}}]},
        {"tool_calls": None, "function_call": {"name": None, "arguments": {"at": None}}},
    ],
)
def test_a_call_of_nulls_is_no_call(calls):
    for message in (ASK, SAID, {"role": "tool", "content": "x"}, {"role": "system", "content": "x"}):
        assert read_messages([{**message, **calls}], "m") == [message]
    with pytest.raises(BadRow, match="content is null"):
        read_messages([{"role": "assistant", "content": None, **calls}], "m")


def test_a_call_with_arguments_and_no_name_is_refused():
    with pytest.raises(BadRow, match="a tool call without a name"):
        read_messages([{**SAID, "function_call": {"name": None, "arguments": '{"at": "X"}'}}], "m")
    kept = {**ASK, "function_call": {"name": "sky", "arguments": "{}"}}
    assert read_messages([kept], "m") == [kept], "only the assistant calls"
    auto = {**SAID, "function_call": "auto"}
    assert read_messages([auto], "m") == [auto], "a setting"


def test_turns_of_calls_that_follow_each_other_are_one_message():
    result = {"role": "tool_response", "content": "sunny"}
    tool = {"role": "tool", "content": "sunny"}
    both = {"role": "assistant", "content": "", "tool_calls": [call("X"), call("Y")]}
    assert read_messages([ASK, turn("X"), turn("Y"), result, result, SAID], "m") == [ASK, both, tool, tool, SAID]
    again = {"from": "function_call", "value": turn("Y")["content"]}
    assert read_messages([ASK, turn("X"), again], "m") == [ASK, both]
    thought = {**turn("X"), "content": "<think>why</think>" + turn("X")["content"]}
    assert read_messages([ASK, thought, turn("Y")], "m") == [ASK, {**both, "reasoning_content": "why"}]
    assert read_messages([ASK, turn("X", loss=True), turn("Y", loss=True)], "m") == [ASK, both]
    assert read_messages([ASK, turn("X", mask=True), turn("Y", mask=True)], "m") == [ASK, {**both, "mask": True}]


@pytest.mark.parametrize(
    "turns",
    [
        [turn("X"), {"role": "tool", "content": "sunny"}, turn("Y")],
        [turn("X"), {"role": "assistant", "content": "", "tool_calls": [call("Y")]}],
        [{"role": "assistant", "content": "", "tool_calls": [call("X")]}, turn("Y")],
        [turn("X", loss=True), turn("Y", loss=False)],
        [turn("X"), {**turn("Y"), "content": "<think>why</think>" + turn("Y")["content"]}],
    ],
)
def test_other_turns_with_calls_stay_apart(turns):
    assert len(read_messages(turns, "m")) == len(turns)


@pytest.mark.parametrize("flag", [*REASONING_FLAGS, "High", " on "])
def test_a_setting_of_reasoning_is_no_trace(flag):
    for key in ("reasoning", "thinking"):
        message = {**SAID, key: flag}
        assert read_messages([message], "m") == [message]
    effort = {**SAID, "reasoning": {"effort": "high", "summary": "auto"}}
    assert read_messages([effort], "m") == [effort]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"author": "user", "text": "2+2?"}, [ASK]),
        ({"author": "Human", "content": "2+2?"}, [ASK]),
        ({"author": {"role": "user"}, "content": {"content_type": "text", "parts": ["2+2?"]}}, [ASK]),
        ({"author": {"role": "user", "name": None}, "content": {"content_type": "text", "parts": ["2+", "2?"]}}, [ASK]),
        ({"role": None, "from": "user", "value": "2+2?"}, [ASK]),
        ({"author": {"role": "assistant"}, "content": {"content_type": "code", "text": "4"}}, [SAID]),
        (
            {
                "author": {"role": "tool", "name": "python"},
                "content": {"content_type": "execution_output", "text": "4"},
            },
            [{"role": "tool", "content": "4", "name": "python"}],
        ),
        (
            {
                "author": {"role": "tool"},
                "content": {"content_type": "multimodal_text", "parts": ["4", {"content_type": "text", "text": "2"}]},
            },
            [{"role": "tool", "content": "42"}],
        ),
        (
            {
                "author": {"role": "assistant"},
                "content": {"content_type": "thoughts", "thoughts": [{"summary": "s", "content": "why"}]},
            },
            [{"role": "assistant", "content": "", "reasoning_content": "why"}],
        ),
        (
            {
                "author": {"role": "assistant"},
                "content": {"content_type": "reasoning_recap", "content": "Thought for 3s"},
            },
            [],
        ),
        ({"role": "user", "content": [{"type": "text", "value": "2+2?"}]}, [ASK]),
        ({"role": "user", "content": [{"type": "text", "text": {"value": "2+2?", "annotations": []}}]}, [ASK]),
        (
            {"role": "assistant", "content": [{"type": "reasoning", "value": "why"}, {"type": "text", "value": "4"}]},
            [{**SAID, "reasoning_content": "why"}],
        ),
        (
            {"role": "assistant", "content": [{"type": "tool_call", "value": turn("X")["content"]}]},
            [{"role": "assistant", "content": "", "tool_calls": [call("X")]}],
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "4"}],
            },
            [SAID],
        ),
        (
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "why", "signature": "x"},
                    {"type": "redacted_thinking", "data": "x"},
                    {"type": "text", "text": "4"},
                ],
            },
            [{**SAID, "reasoning_content": "why"}],
        ),
        ({"role": "assistant", "content": [{"type": "redacted_thinking", "data": "x"}]}, []),
    ],
)
def test_messages_of_exports_and_parts(given, expected):
    assert read_messages([ASK, given], "m") == [ASK, *expected]


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"type": "image_url", "value": "http://x"}, "'image_url'"),
        ({"type": "tools", "value": "[]"}, "'tools'"),
        ({"type": "text", "value": 5}, "'text'"),
    ],
)
def test_only_a_text_part_has_its_text_under_value(part, words):
    with pytest.raises(BadRow, match=words):
        read_messages([{"role": "user", "content": [part]}], "m")
    image = {"content_type": "multimodal_text", "parts": ["See", {"content_type": "image_asset_pointer"}]}
    with pytest.raises(BadRow, match="image_asset_pointer"):
        read_messages([{"author": {"role": "user"}, "content": image}], "m")
