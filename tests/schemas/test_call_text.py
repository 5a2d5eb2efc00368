"""Tool calls in a model's text: what is one, what stays text, and that nothing a model writes can break it."""

import json
import time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.call_forms import CLOSE, FORMS, OPEN
from schemas.call_text import calls_as_text, split_tool_calls, tools_of, written_badly
from schemas.exact_json import Rewritten


def block(name, arguments, pad=""):
    return f"{OPEN}{pad}{json.dumps({'name': name, 'arguments': arguments})}{pad}{CLOSE}"


TOOLS = tools_of(
    [
        {
            "type": "function",
            "function": {
                "name": "sky",
                "parameters": {"properties": {"city": {"type": "string"}, "days": {"type": ["integer", "null"]}}},
            },
        },
        {"type": "function", "function": {"name": "now", "parameters": "none"}},
        {"type": "web_search"},
    ]
)


def calls(text, tools=TOOLS):
    found, rest = split_tool_calls(text, tools)
    assert all(set(call) == {"type", "function"} and call["type"] == "function" for call in found)
    return [(c["function"]["name"], c["function"]["arguments"]) for c in found], rest


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        ("plain", [], "plain"),
        (" plain ", [], " plain "),
        (block("f", {"a": 1}), [("f", {"a": 1})], ""),
        (block("f", {}, "\n"), [("f", {})], ""),
        (f"First.\n{block('f', {})}\n{block('g', {'é': 'ü'})}\n", [("f", {}), ("g", {"é": "ü"})], "First."),
        (block("f", '{"a": 1}'), [("f", {"a": 1})], ""),  # arguments as JSON text
        (f'{OPEN}{{"name": "f"}}{CLOSE}', [("f", {})], ""),
        (block("f", {"x": CLOSE}), [("f", {"x": CLOSE})], ""),  # the tag in a string is a string
        (f"{OPEN}no JSON{CLOSE}{block('f', {})}", [("f", {})], f"{OPEN}no JSON{CLOSE}"),
        (f"{OPEN}{block('f', {})}", [("f", {})], OPEN),
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
        '{"name": " "}',
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
    assert split_tool_calls(text, TOOLS) == ([], text)


@given(
    st.lists(
        st.tuples(st.text(min_size=1).filter(str.strip), st.dictionaries(st.text(), st.integers() | st.text())),
        max_size=4,
    ),
    st.text(alphabet="ab <>{}"),
)
def test_what_is_written_is_read(written, between):
    assume(OPEN not in json.dumps(written))  # such a call stays text
    text = between.join(["", *(block(name, arguments) for name, arguments in written), ""])
    found, rest = calls(text)
    assert found == written
    assert rest == (between * (len(written) + 1)).strip() if written else rest == text


PIECES = [
    *FORMS, CLOSE, '{"name":"f"}', '{"name":"sky","arguments":{}}', "<function=sky>", "</function>", "<parameter=a>",
    "</parameter>", "<arg_key>a</arg_key>", "<arg_value>", "</arg_value>", "{", "}", '"', "'", "\\", "[", "]", " ",
    "\n", "sky", "f", "[ARGS]", "<｜tool▁sep｜>", "<｜tool▁call▁end｜>", "<|tool_call_argument_begin|>", "\ud83d",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)).map("".join))
def test_any_text_is_read(text):
    found, rest = split_tool_calls(text, TOOLS)
    assert rest == text if not found else json.dumps(found) and len(rest) < len(text)
    assert written_badly(text, TOOLS) is None or text
    found, rest = split_tool_calls(text, TOOLS, literals=True)
    assert rest == text if not found else json.dumps(found) and len(rest) < len(text)


BADLY = [
    "<function=sky>" + "x" * 30,
    "to=functions.sky",
    "```tool_code\n",
    "<|python_tag|>sky",
    "<tool_call>sky ",
    "```{",
]


@pytest.mark.parametrize(
    "piece",
    [*BADLY, OPEN, f"{OPEN}{{", f'{OPEN}"', f"{OPEN}[1,", OPEN + CLOSE, f"{OPEN}{{}}", *(f"{one}{{" for one in PIECES)],
)
def test_a_long_hostile_text_takes_no_time(piece):
    started = time.process_time()
    split_tool_calls(piece * 20_000, TOOLS, literals=True)
    written_badly(piece * 20_000, TOOLS)
    assert time.process_time() - started < 4


@pytest.mark.parametrize(
    ("text", "found", "rest"),
    [
        # Qwen3-Coder: values without quotes, read by the tool's schema
        (
            "Wait.\n<tool_call>\n<function=sky>\n<parameter=city>\n00123\n</parameter>\n<parameter=days>\n3\n</parameter>\n"
            "</function>\n</tool_call>",
            [("sky", {"city": "00123", "days": 3})],
            "Wait.",
        ),
        ("<tool_call><function=f><parameter=x>[1]</parameter></function></tool_call>", [("f", {"x": [1]})], ""),
        ("<tool_call><function=f><parameter=x>12</parameter></function></tool_call>", [("f", {"x": "12"})], ""),
        ("<function=sky><parameter=days>soon</parameter></function>", [("sky", {"days": "soon"})], ""),
        # without the opening tag, and with the end of the turn
        (
            "<function=sky>\n<parameter=city>\nRome\n</parameter>\n</function>\n</tool_call>",
            [("sky", {"city": "Rome"})],
            "",
        ),
        (f"<function=f></function></tool_call>\nSo.\n{block('f', {})}", [("f", {}), ("f", {})], "So."),
        ("A</s>" + block("f", {}) + "</s>", [("f", {})], "A</s>"),
        (block("f", {}) + "<|im_end|>\n<|endoftext|>", [("f", {})], ""),
        ('[TOOL_CALLS] [{"name": "f", "arguments": {}}]</s>', [("f", {})], ""),
        # GLM
        (
            "<tool_call>sky\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n</tool_call><tool_call>now</tool_call>",
            [("sky", {"city": "Rome"}), ("now", {})],
            "",
        ),
        # Llama 3
        ('<|python_tag|>{"name": "sky", "parameters": {"city": "Rome"}}<|eom_id|>', [("sky", {"city": "Rome"})], ""),
        ('<function=sky>{"city": "Rome"}</function>', [("sky", {"city": "Rome"})], ""),
        ('{"type": "function", "name": "sky", "parameters": {"city": "Rome"}}', [("sky", {"city": "Rome"})], ""),
        (
            '{"name": "sky", "parameters": {}}; {"name": "now", "parameters": {}}',
            [("sky", {}), ("now", {})],
            "",
        ),
        # Mistral, with and without its marks
        ('[TOOL_CALLS] [{"name": "sky", "arguments": {"days": 1}, "id": "abcdefghi"}]', [("sky", {"days": 1})], ""),
        ('[TOOL_CALLS]sky{"days": 1}[TOOL_CALLS]f[ARGS]{"b": 2}', [("sky", {"days": 1}), ("f", {"b": 2})], ""),
        ('[TOOL_CALLS]sky[CALL_ID]abc[ARGS]{"days": 1}', [("sky", {"days": 1})], ""),
        (' [{"name": "sky", "arguments": {"days": 1}}]', [("sky", {"days": 1})], ""),
        ('sky{"days": 1}', [("sky", {"days": 1})], ""),
        # Phi-4, Granite
        ('<|tool_call|>[{"name": "f", "arguments": {"a": 1}}]<|/tool_call|>', [("f", {"a": 1})], ""),
        # DeepSeek
        (
            "Wait.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>sky\n```json\n{}\n```<｜tool▁call▁end｜>"
            '<｜tool▁call▁begin｜>f<｜tool▁sep｜>{"a": 1}<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
            [("sky", {}), ("f", {"a": 1})],
            "Wait.",
        ),
        # Kimi
        (
            "<|tool_calls_section_begin|><|tool_call_begin|>functions.sky:0<|tool_call_argument_begin|>{}<|tool_call_end|>"
            "<|tool_calls_section_end|>",
            [("sky", {})],
            "",
        ),
        # LFM2, and calls as Python writes them
        (
            'So: <|tool_call_start|>[sky(city="Rome", days=-1), now()]<|tool_call_end|>',
            [("sky", {"city": "Rome", "days": -1}), ("now", {})],
            "So:",
        ),
        ('<|tool_call_start|>[{"name": "f", "arguments": {}}]<|tool_call_end|>', [("f", {})], ""),
        ("[sky(city='Ro\\'me', days=[1, None, True])]", [("sky", {"city": "Ro'me", "days": [1, None, True]})], ""),
        # Glaive
        ("""<functioncall> {"name": "f", "arguments": '{"a": "b"}'} <|endoftext|>""", [("f", {"a": "b"})], ""),
    ],
)
def test_forms_of_other_models(text, found, rest):
    assert calls(text) == (found, rest)


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "rain", "parameters": {}}',  # no tool of the prompt
        '{"name": "sky"}',
        '{"name": "sky", "parameters": {}, "score": 1}',
        'So: {"name": "sky", "parameters": {}}',
        '[{"name": "sky", "arguments": {}}, 1]',
        '{"name": ["sky"], "parameters": {}}',
        'rain{"days": 1}',
        "[]",
        "<tool_call>rain</tool_call>",
        "[rain(days=1)]",
        "[sky(1)]",
        "[sky(**x)]",
        "[sky(days=x)]",
        "[sky(**{'days': 1})]",
        "<function=sky><parameter=days>NaN</parameter></function>",
        "<function=f><parameter=x>[1, NaN]</parameter></function>",
        "<tool_call>sky\n<arg_key>days</arg_key><arg_value>-Infinity</arg_value></tool_call>",
        "[sky(days=1), 2 * (3)]",
        "[sky](https://x.org/sky(1)]",
        f"[sky(days={'[' * 9000}",
        f"[sky(days={'[' * 200}{']' * 200})]",
        "<function=sky> is how a call begins",
    ],
)
def test_what_may_be_no_call_stays_text(text):
    assert calls(text) == ([], text)


def test_a_call_without_a_mark_needs_the_tools():
    text = '{"name": "sky", "parameters": {}}'
    assert calls(text, {}) == ([], text) and calls(f"{OPEN}{text}{CLOSE}", {}) == ([("sky", {})], "")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain", None),
        ("<tool_call> is the tag", None),
        ('{"name": "rain", "parameters": {"a', None),
        (f'{OPEN}{{"name": "f", "arguments": {{"a": }}}}{CLOSE}', True),
        (f'I look. {OPEN}\n{{"name": "f", "argu', True),
        ('{"name": "sky", "parameters": {"city": ', True),
        ('[{"name": "sky", "arguments": {"city": ', True),
        ('[TOOL_CALLS] [{"name": "sky", ', True),
        ("<function=sky><parameter=city>Ro", True),
        # forms that are not read
        ('<|python_tag|>sky.call(city="Rome")', True),
        ("Wait.\n<tool_call>sky\n<arg_key>city</arg_key>\n<arg_value>Ro", True),
        ('```json\n{"name": "sky", "arguments": {"city": "Rome"}}\n```', True),
        ('```\n{"name": "sky", "parameters": {"ci', True),
        ('```tool_code\nsky(city="Rome")\n```', True),
        ('Wait.\n```tool_code\nprint(sky(city="Rome"))\n```', True),
        ("<start_function_call>call:sky{city:<escape>Rome<escape>}<end_function_call>", True),
        ('<minimax:tool_call>\n<invoke name="sky">\n<parameter name="city">Rome</parameter>\n</invoke>', True),
        ('So.\n<function_calls>\n<invoke name="sky">', True),
        ('<|channel|>commentary to=functions.sky <|constrain|>json<|message|>{"city":"Ro"}<|call|>', True),
        (' functools[{"name": "sky", "arguments": {"city": "Rome"}}]', True),
        ('<|tool_call_start|>[sky(city="Ro', True),
        ("<function=sky>city: Rome</function>", True),
        ("I look. <function=sk", True),
        ("I look. <function=sky>", True),
        # what may be no call
        ("<function=sky> is how a call begins", None),
        ("In HTML write <function=foo> blah <b>", None),
        ('<|python_tag|>print("sky")', None),
        ("<tool_call> sky is how a call of sky begins", None),
        ('```json\n{"name": "rain", "arguments": {}}\n```', None),
        ('```json\n{"name": "sky", "arguments": {}}\n```\nis what a call looks like.', None),
        ('So:\n```json\n{"name": "sky", "arguments": {}}\n```', None),
        ('```json\n{"name": "sky"}\n```', None),
        ("```tool_code\nprint(1)\n```", None),
        ('```python\nsky(city="Rome")\n```', None),
        ("harmony writes to=functions.rain there", None),
        ("the tags <function_calls> and <invoke name=", None),
        ("functools[1]", None),
        ("Use functools[{0}]", None),
    ],
)
def test_a_call_that_was_written_badly_is_seen(text, left):
    found = written_badly(text, TOOLS)
    assert found is None if left is None else found and found in text


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("{'arguments': {'city': 'Rome', 'days': None}, 'name': 'sky'}", [("sky", {"city": "Rome", "days": None})]),
        ("[{'name': 'f', 'arguments': {'x': True}}]", [("f", {"x": True})]),
        (r"{'name': 'f', 'arguments': {'x': '\d'}}", [("f", {"x": r"\d"})]),
        ("{'name': 'f', 'arguments': {1, 2}}", []),
        ("{'name': 'f', 'arguments': {'x': b'1'}}", []),
        ("{'name': 'f', 'arguments': {'x': open('y')}}", []),
        ("{'name': 'f', 'arguments': {'x': '" + "y" * 30_000 + "'}}", []),
        ("{'name': 'f\x00'}", []),
    ],
)
@pytest.mark.filterwarnings("error")
def test_recorded_calls_may_be_mappings_as_python_writes_them(body, found):
    text = f"{OPEN}\n{body}\n{CLOSE}"
    calls, rest = split_tool_calls(text, TOOLS, literals=True)
    assert [(c["function"]["name"], c["function"]["arguments"]) for c in calls] == found and rest == (
        "" if found else text
    )
    assert split_tool_calls(text, TOOLS) == ([], text) and written_badly(text, TOOLS)


def test_calls_as_a_server_replies_them():
    found, _ = split_tool_calls(block("f", {"é": 1}) + block("g", {}), {})
    assert calls_as_text([]) is None
    assert json.loads(calls_as_text(found) or "") == [
        {"id": "call_0", "type": "function", "function": {"name": "f", "arguments": '{"é": 1}'}},
        {"id": "call_1", "type": "function", "function": {"name": "g", "arguments": "{}"}},
    ]


def test_arguments_that_are_written_otherwise_are_noted():
    found, _ = split_tool_calls(f'{OPEN}{{"name": "f", "arguments": {{"a": 1.10}}}}{CLOSE}{block("f", {"a": 1.1})}', {})
    assert [isinstance(call["function"]["arguments"], Rewritten) for call in found] == [True, False]
