"""Tool calls and tool descriptions of every convention have one form."""

import json

import pytest

from schemas.errors import BadRow
from schemas.tool_calls import read_tool_calls, read_tools

ARGUMENTS = {"a": 2, "b": None}
ADD = {"type": "function", "function": {"name": "add", "arguments": ARGUMENTS}}
EMPTY = {"type": "function", "function": {"name": "add", "arguments": {}}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": SCHEMA}}
BARE = TOOL["function"]


@pytest.mark.parametrize(
    ("given", "calls"),
    [
        ([ADD], [ADD]),
        (ADD, [ADD]),
        (json.dumps([ADD]), [ADD]),
        ([json.dumps(ADD)], [ADD]),
        ([{"name": "add", "arguments": ARGUMENTS}], [ADD]),
        ([{"name": "add", "arguments": json.dumps(ARGUMENTS)}], [ADD]),
        ([{"name": "add", "arguments": json.dumps(json.dumps(ARGUMENTS))}], [ADD]),
        ([{"name": "add", "parameters": ARGUMENTS}], [ADD]),
        ([{"function": "add", "args": ARGUMENTS}], [ADD]),
        ([{"tool_name": "add", "parameters": ARGUMENTS}], [ADD]),
        ([{"type": "tool_use", "id": "t1", "name": "add", "input": ARGUMENTS}], [{"id": "t1", **ADD}]),
        ([{"name": "add", "args": ARGUMENTS, "id": "t1", "type": "tool_call"}], [{"id": "t1", **ADD}]),
        ([{"id": "t1", **ADD, "index": 0}], [{"id": "t1", **ADD, "index": 0}]),
        ([{"function": {"name": "add", "arguments": None}}], [EMPTY]),
        ([{"name": "add", "arguments": "null"}], [EMPTY]),
        ([{"name": "add"}], [EMPTY]),
        ('{"name": "add"}\n{"name": "add", "arguments": {"a": 2, "b": null}}', [EMPTY, ADD]),
        ([], []),
        (None, []),
        (" ", []),
        ("[]", []),
        ("null", []),
        ("None", []),
        ("none", []),
        ("{}", []),
        ("[{}]", []),
        ({}, []),
        ([None], []),
        ([{}], []),
        (["null", ADD, {}], [ADD]),
        ({"name": None, "arguments": None}, []),
        ({"name": "", "arguments": ""}, []),
        ('{"name": null, "arguments": null}', []),
        ({"name": "null", "arguments": "{}"}, []),
        ([{"id": None, "type": None, "function": None}], []),
        ([{"id": "t1", "type": "function", "function": {"name": None, "arguments": None}}], []),
        ([{"name": None, "arguments": {"city": None, "at": {"x": None}}}], []),
        ([{"name": "none"}], [{"type": "function", "function": {"name": "none", "arguments": {}}}]),
        ([{"name": "add", "arguments": "None"}], [EMPTY]),
        ([{"name": "add", "arguments": []}], [EMPTY]),
        ([{"name": None, "tool_name": "add", "arguments": None, "parameters": ARGUMENTS}], [ADD]),
    ],
)
def test_calls_have_one_form(given, calls):
    before = json.dumps(given)
    assert read_tool_calls(given, "m") == calls
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("add(2)", "m: a tool call is not JSON: 'add(2)'"),
        ("5", "a tool call is a number; expected a mapping with name and arguments"),
        ([{"name": "add", "arguments": "2"}], "a tool call's arguments are a number; expected a mapping"),
        ([{"name": "add", "arguments": "{"}], "arguments is not JSON: '{'"),
        ([{"function": ["add"], "arguments": {}}], "a tool call without a name"),
        ([{"name": None, "arguments": {"a": 2}}], "a tool call without a name"),
        ([{"name": "", "arguments": '{"a": 2}'}], "a tool call without a name"),
        ([{"function": {"name": None, "arguments": '{"a": 2}'}}], "a tool call without a name"),
        ([{"a": 2}], "a tool call without a name"),
    ],
)
def test_a_call_that_cannot_be_read_is_refused(given, words):
    with pytest.raises(BadRow) as caught:
        read_tool_calls(given, "m")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("given", "tools"),
    [
        ([TOOL], [TOOL]),
        (TOOL, [TOOL]),
        (json.dumps([TOOL]), [TOOL]),
        (json.dumps(TOOL), [TOOL]),
        ([json.dumps(TOOL)], [TOOL]),
        (json.dumps([json.dumps(TOOL)]), [TOOL]),
        ([BARE], [TOOL]),
        ([{"type": "function", **BARE}], [TOOL]),
        ([{"function": BARE}], [TOOL]),
        ([{"type": "function", "function": json.dumps(BARE)}], [TOOL]),
        ([{**BARE, "parameters": json.dumps(SCHEMA)}], [TOOL]),
        ([{"type": "function", "function": {**BARE, "parameters": json.dumps(SCHEMA)}}], [TOOL]),
        ([{"name": "add", "description": "Adds.", "input_schema": SCHEMA}], [TOOL]),
        ([{"function_declarations": [BARE, BARE]}], [TOOL, TOOL]),
        ({"functions": [BARE]}, [TOOL]),
        ([{"name": "add", "parameters": ""}], [{"type": "function", "function": {"name": "add", "parameters": {}}}]),
        ([{"name": "add", "parameters": "a: int"}], [{**TOOL, "function": {"name": "add", "parameters": "a: int"}}]),
        ([{"type": "web_search"}], [{"type": "web_search"}]),
        ([], None),
        ("", None),
        ("null", None),
        (None, None),
        ("None", None),
        ("[]", None),
        ("{}", None),
        ("[null]", None),
        ({}, None),
        ([None, {}, TOOL], [TOOL]),
        ([{"type": "function", "function": {"name": None, "parameters": {"type": None}}}], None),
        ([{"name": None, "description": None, "parameters": None}], None),
    ],
)
def test_tools_have_one_form(given, tools):
    assert read_tools(given) == tools


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("add", "'functions' is text; expected a list (or a list as JSON text), found 'add'"),
        ([TOOL, "add"], "functions[1] is text; expected a mapping that describes a function, found 'add'"),
        ({"functions": [5]}, "functions[0][0] is a number"),
    ],
)
def test_tools_that_cannot_be_read_are_refused(given, words):
    with pytest.raises(BadRow) as caught:
        read_tools(given, "functions")
    assert words in str(caught.value)
