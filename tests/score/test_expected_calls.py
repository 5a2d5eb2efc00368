"""A ground truth of calls is read, or the row has no value: only prose leaves the other checks."""

import json

import pytest

from tests.score.test_tool_call import one, turns

TOOLS = [
    {"name": "w", "parameters": {"required": ["c"], "properties": {"c": {"type": "string"}, "n": {"type": "integer"}}}},
    {"name": "now"},
    {"name": "Market Trends API", "parameters": {"properties": {"a": {"type": "string"}}}},
    {"name": "GET /v1/users", "parameters": {"properties": {"id": {"type": "integer"}}}},
    {"name": "get-weather"},
    {"name": "1day"},
]
HERE = {"name": "w", "arguments": {"c": "L"}}
NOW = {"name": "now", "arguments": {}}


def value(calls, truth):
    return one(turns(*calls), truth, tools=TOOLS)[0]


@pytest.mark.parametrize(
    ("truth", "calls"),
    [
        ({"name": "now"}, [NOW]),
        ([{"name": "now"}], [NOW]),
        ({"tool_calls": [{"name": "now"}]}, [NOW]),
        ({"type": "function", "function": {"name": "now"}}, [NOW]),
        ("now()", [NOW]),
        ('[Market Trends API(a="x")]', [{"name": "Market Trends API", "arguments": {"a": "x"}}]),
        ('[Market Trends API(a="(x"), w(c="L")]', [{"name": "Market Trends API", "arguments": {"a": "(x"}}, HERE]),
        ("[GET /v1/users(id=3)]", [{"name": "GET /v1/users", "arguments": {"id": 3}}]),
        ("[get-weather(a='x', b=true)]", [{"name": "get-weather", "arguments": {"a": "x", "b": True}}]),
        ('[1day(a="x")]', [{"name": "1day", "arguments": {"a": "x"}}]),
        ('now()\nw(c="L")', [HERE, NOW]),
        ('now(); w(c="L");', [HERE, NOW]),
        ('functions.w(c="L")', [HERE]),
        ('await w(c="L")', [HERE]),
        ("```json\n" + json.dumps([HERE]) + "\n```", [HERE]),
        ('```python\nw(c="L")\n```', [HERE]),
        ({"role": "assistant", "content": [{"type": "text", "text": "So."}, HERE | {"type": "tool_use"}]}, [HERE]),
        ({"type": "tool_use", "id": "t", "name": "w", "input": {"c": "L"}, "cache_control": None}, [HERE]),
        ([{"type": "text", "text": "So."}, {"type": "tool_use", "id": "t", "name": "w", "input": {"c": "L"}}], [HERE]),
        ({"functionCall": {"name": "w", "args": {"c": "L"}}}, [HERE]),
        ([{"functionCall": {"name": "w", "args": {"c": "L"}}}], [HERE]),
        ({"role": "model", "parts": [{"text": "So."}, {"functionCall": {"name": "w", "args": {"c": "L"}}}]}, [HERE]),
        ([{"toolUse": {"toolUseId": "t", "name": "w", "input": {"c": "L"}}}], [HERE]),
        ({"tool_call": HERE}, [HERE]),
        ({"calls": [HERE]}, [HERE]),
        ({"query": "x", "answers": json.dumps([HERE]), "tools": "[]"}, [HERE]),  # a whole row of xLAM
        ({"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "tool_calls": [HERE]}]}, [HERE]),
        ({"tool": "w", "args": {"c": "L"}}, [HERE]),
        ({"function": "w", "arguments": {"c": "L"}}, [HERE]),
        ({"function_name": "w", "arguments": {"c": "L"}}, [HERE]),
        ({"action": "w", "action_input": {"c": "L"}}, [HERE]),
        ({"from": "function_call", "value": json.dumps(HERE)}, [HERE]),
        ({"role": "assistant", "content": "<tool_call>" + json.dumps(HERE) + "</tool_call>"}, [HERE]),
        ([{"role": "assistant", "tool_calls": [HERE]}, {"role": "tool", "content": "now()"}], [HERE]),
        ({"role": "assistant", "content": "Hello", "tool_calls": None}, []),
        ({"role": "assistant", "content": "Hello", "tool_calls": []}, []),
        ({"role": "assistant", "content": "Hello"}, []),
        ({"role": "assistant", "content": [{"type": "text", "text": "Hello"}]}, []),
        ({"tool_calls": None}, []),
    ],
)
def test_expected_calls_are_read_in_every_shape(truth, calls):
    assert value(calls, truth) == 1.0
    for other in ([HERE], [NOW], [HERE, HERE], [{"name": "w", "arguments": {"c": "M"}}]):
        if other != calls:
            assert value(other, truth) == 0.0


@pytest.mark.parametrize(
    "truth",
    [
        {"name": "w"},
        {"name": "Bob"},
        {"name": "w", "parameters": {"c": "L"}, "description": "The weather."},
        {"name": "w", "parameters": {"type": "object", "properties": {}}},
        {"answer": "42"},
        {},
        [[]],
        [None],
        [1, 2],
        [[HERE], [NOW]],
        ["now", {}],
        [{"now": None}],
        [{"now": []}],
        [{"nope": {"a": ["x"]}}],
        [{"1day": {"a": ["x"]}}, {"nope": {}}],
        ["nope(a='y')"],
        [HERE, "and more"],
        {"tool_calls": [HERE], "function_call": NOW},
        {"role": "user", "content": "now()"},
        [{"role": "tool", "content": "now()"}],
        {"from": "function_call", "value": "the weather"},
        'nope(a="x")',
        '[nope(a="x")]',
        '[Some Other API(a="x")]',
        'w("L")',
        "now({})",
        'now() then w(c="L")',
        "result = now()",
        "print(now())",
        "now",
        "[now]",
        "'now'",
        "I would call `now`.",
        "I would call get-weather.",
        "Thought: so.\nAction: now\nAction Input: {}",
        'Here it is:\n```json\n{"name": "now"}\n```',
        '{"name": "now", "arguments": {}',
        'to=functions.now code{"a": 1}',
        "<tool_call>now(</tool_call> [now()]",
    ],
)
def test_what_may_be_calls_but_is_not_read_has_no_value(truth):
    got, detail, error = one(turns(HERE), truth, tools=TOOLS)
    assert (got, detail) == (None, None) and error.startswith("ground_truth")


@pytest.mark.parametrize(
    "truth",
    ["It is sunny now.", "The answer (in short) is 42.", "42", '["Paris", "Rome"]', "[1] says so, not [2].", "(a, b)"],
)
def test_prose_leaves_the_other_checks(truth):
    assert value([HERE], truth) == 1.0
    assert value([], truth) == 0.0
