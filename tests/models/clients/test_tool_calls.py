"""Tool calls in a model's text: what is one, what stays text, and that nothing a model writes can break it."""

import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curate.models.clients.parsing.tool_calls import CLOSE, OPEN, split_tool_calls


def block(name, arguments, pad=""):
    return f"{OPEN}{pad}{json.dumps({'name': name, 'arguments': arguments})}{pad}{CLOSE}"


def calls(text):
    found, rest = split_tool_calls(text)
    listed = [] if found is None else json.loads(found)
    assert [c["id"] for c in listed] == [f"call_{i}" for i in range(len(listed))]
    assert all(c["type"] == "function" for c in listed)
    return [(c["function"]["name"], c["function"]["arguments"]) for c in listed], rest


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        ("plain", [], "plain"),
        (" plain ", [], " plain "),
        (block("f", {"a": 1}), [("f", '{"a": 1}')], ""),
        (block("f", {}, "\n"), [("f", "{}")], ""),
        (f"First.\n{block('f', {})}\n{block('g', {'é': 'ü'})}\n", [("f", "{}"), ("g", '{"é": "ü"}')], "First."),
        (block("f", '{"a": 1}'), [("f", '{"a": 1}')], ""),  # arguments as JSON text
        (f'{OPEN}{{"name": "f"}}{CLOSE}', [("f", "{}")], ""),
        (block("f", {"x": CLOSE}), [("f", json.dumps({"x": CLOSE}))], ""),  # the tag in a string is a string
        (f"{OPEN}no JSON{CLOSE}{block('f', {})}", [("f", "{}")], f"{OPEN}no JSON{CLOSE}"),
        (f"{OPEN}{block('f', {})}", [("f", "{}")], OPEN),
        (f'{OPEN}{{"name": "f", "arguments": {{}}}}', [], f'{OPEN}{{"name": "f", "arguments": {{}}}}'),
    ],
)
def test_calls_are_found(text, found, rest):
    assert calls(text) == (found, rest)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{}",
        "[]",
        "null",
        '"f"',
        '{"name": ""}',
        '{"name": 1, "arguments": {}}',
        '{"name": "f", "arguments": [1]}',
        '{"name": "f", "arguments": "no JSON"}',
        '{"name": "f", "arguments": {"a": NaN}}',
        '{"name": "f"} more',
        '{"name": "\\ud83d"}',
        '{"name": "f", "arguments": {"a": "\\ud83d"}}',
        "[" * 100_000,
        '{"name": "f", "arguments": {"a": ' + "9" * 5000 + "}}",
    ],
)
def test_what_is_no_call_stays_text(body):
    text = f"so {OPEN}{body}{CLOSE} there"
    assert split_tool_calls(text) == (None, text)


@given(
    st.lists(st.tuples(st.text(min_size=1), st.dictionaries(st.text(), st.integers() | st.text())), max_size=4),
    st.text(alphabet="ab <>{}"),
)
def test_what_is_written_is_read(written, between):
    assume(OPEN not in json.dumps(written))  # such a call stays text
    text = between.join(["", *(block(name, arguments) for name, arguments in written), ""])
    found, rest = calls(text)
    assert [(name, json.loads(arguments)) for name, arguments in found] == written
    assert rest == (between * (len(written) + 1)).strip() if written else rest == text


@given(st.lists(st.sampled_from([OPEN, CLOSE, '{"name":"f"}', "{", "}", '"', "\\", "[", " ", "x"])).map("".join))
def test_any_text_is_read(text):
    found, rest = split_tool_calls(text)
    assert rest == text if found is None else json.loads(found) and len(rest) < len(text)


@pytest.mark.parametrize("piece", [OPEN, f"{OPEN}{{", f'{OPEN}"', f"{OPEN}[1,", OPEN + CLOSE, f"{OPEN}{{}}"])
def test_a_long_hostile_text_takes_no_time(piece):
    started = time.perf_counter()
    split_tool_calls(piece * 20_000)
    assert time.perf_counter() - started < 2
