"""Calls of a model's reply: the stored form, and what is wrong with a broken one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.call_ids import call_id
from schemas.messages import assistant_message, assistant_messages
from schemas.reply_calls import call_problem, read_reply_calls

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(max_size=4), VALUES, max_size=3)


def served(arguments, name="sky"):
    """A call as a server replies it."""
    return {"id": "call_x", "type": "function", "function": {"name": name, "arguments": arguments}}


@pytest.mark.parametrize(
    ("arguments", "read"),
    [
        ('{"city": "Rome"}', {"city": "Rome"}),
        ({"city": "Rome"}, {"city": "Rome"}),  # a server that sends a mapping
        ("", {}),
        (None, {}),
        ("null", {}),
        ("{}", {}),
        ('"{\\"a\\": 1}"', {"a": 1}),  # text of text
        ('{"a": 1.10, "b": null}', {"a": 1.1, "b": None}),
        ('{"a": "NaN"}', {"a": "NaN"}),
    ],
)
def test_arguments_become_a_mapping(arguments, read):
    message = assistant_message("", None, json.dumps([served(arguments)]))
    function = {"name": "sky", "arguments": read}
    assert message["tool_calls"] == [{"id": call_id(0, 0, function), "type": "function", "function": function}]
    assert call_problem(message) is None


@pytest.mark.parametrize(
    ("call", "kept", "said"),
    [
        (served('{"city": '), '{"city": ', "tool call 1 (sky): the arguments are not JSON: '{\"city\": '"),
        (served("Rome"), "Rome", "tool call 1 (sky): the arguments are not JSON: 'Rome'"),
        (served("[1]"), "[1]", "tool call 1 (sky): the arguments are a list, expected a mapping: '[1]'"),
        (served([1]), "[1]", "tool call 1 (sky): the arguments are a list, expected a mapping: '[1]'"),
        (served("5"), "5", "tool call 1 (sky): the arguments are a number, expected a mapping: '5'"),
        (served('{"a": Infinity}'), '{"a": Infinity}', "tool call 1 (sky): 'arguments' holds an infinite number"),
        (
            served('{"a": NaN}'),
            '{"a": NaN}',
            "tool call 1 (sky): the arguments hold NaN, which JSON does not have: '{\"a\": NaN}'",
        ),
        (served('{"a": [1.10, {"b": NaN}]}'), '{"a": [1.10, {"b": NaN}]}', "the arguments hold NaN"),
        (served('"{\\"a\\": NaN}"'), '"{\\"a\\": NaN}"', "the arguments hold NaN"),
        ({"name": "sky", "parameters": '{"a": NaN}'}, '{"a": NaN}', "the arguments hold NaN"),
        (served('{"a": "\\ud83d"}'), '{"a": "\\ud83d"}', "half of a surrogate pair"),
        (served('{"a": "\ud83d"}'), '{"a": "\\ud83d"}', "half of a surrogate pair"),
        (served('{"a": 1}', ""), None, "tool call 1 (no name): it has no name"),
        ("sky()", "sky()", "tool call 1 (no name): it has no name"),
        (served("[" * 9999), "[" * 9999, "the arguments are not JSON"),
    ],
)
def test_a_broken_call_is_kept_as_text_and_named(call, kept, said):
    message = assistant_message("", None, json.dumps([call]))
    (found,) = message["tool_calls"]
    assert isinstance(found["function"]["arguments"], str) and (kept is None or found["function"]["arguments"] == kept)
    problem = call_problem(message) or ""
    assert said in problem and "\n" not in problem and len(problem) < 250
    json.dumps(message, ensure_ascii=False).encode()


def test_the_second_call_may_be_the_broken_one():
    message = assistant_message("Wait.", "why", json.dumps([served("{}"), served("{", "now")]))
    assert call_problem(message) == "tool call 2 (now): the arguments are not JSON: '{'"
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == [{}, "{"]
    assert (message["content"], message["reasoning_content"]) == ("Wait.", "why")


@pytest.mark.parametrize("calls", ["", None, "[]", "null", "[null]", "[{}]"])
def test_no_calls_are_no_key(calls):
    assert assistant_message("x", None, calls) == {"role": "assistant", "content": "x"}


def test_equal_replies_have_equal_ids_which_depend_on_the_place():
    one, two = (json.dumps([{**served("{}"), "id": name}, served("{}")]) for name in ("a", "b"))
    assert read_reply_calls(one) == read_reply_calls(two) and len({c["id"] for c in read_reply_calls(one)}) == 2
    assert not {c["id"] for c in read_reply_calls(one)} & {c["id"] for c in read_reply_calls(one, 1)}


@given(
    ARGUMENTS,
    st.booleans(),
    st.text(min_size=1, max_size=5).filter(
        lambda name: name.strip().lower() not in ("none", "null", "nan", "[]", "{}", "")
    ),
)
def test_text_to_stored_to_sent_has_the_same_value(arguments, escaped, name):
    text = json.dumps(arguments, ensure_ascii=escaped)
    stored = json.loads(assistant_messages("", None, json.dumps([served(text, name)])) or "")
    (call,) = stored[0]["tool_calls"]
    assert call["function"] == {"name": name, "arguments": arguments}
    again = json.dumps([served(json.dumps(call["function"]["arguments"]), name)])
    assert json.loads(assistant_messages("", None, again) or "") == stored


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["id", "function", "name", "arguments", "x"]), x),
    )
)
def test_whatever_a_server_replies_is_a_message(value):
    message = assistant_message("", None, json.dumps(value))
    for call in message.get("tool_calls", []):
        function = call["function"]
        assert call["type"] == "function" and isinstance(call["id"], str) and isinstance(function["name"], str)
        assert isinstance(function["arguments"], dict | str)
        assert isinstance(function["arguments"], dict) or call_problem(message)


def test_calls_that_are_no_json_at_all_are_one_broken_call():
    message = assistant_message("", None, "[{half of")
    problem = call_problem(message)
    assert problem is not None and "half of" in json.dumps(message) and "tool call 1" in problem
