"""Expected calls in the shapes of public sets, and calls in the forms that models write."""

import json

import pytest

from tests.score.test_tool_call import PARIS, ROME, TOOLS, WEATHER, one, tags, turns

SEARCH = {
    "name": "shop.search",
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": "integer", "default": 10},
            "exact": {"type": "boolean"},
            "where": {"type": "object"},
            "tags": {"type": "array"},
        },
    },
}
ALL = [*TOOLS, SEARCH]
RIGHT = {"calls": 1, "read": 1, "exist": 1, "fit": 1, "match": 1}


def search(**arguments):
    return turns({"name": "shop.search", "arguments": arguments})


@pytest.mark.parametrize(
    "truth",
    [
        '[weather(city="Paris", days=2)]',  # ToolACE
        'weather(city="Paris", days=2)',
        ["weather(city='Paris', days=2)"],
        '<functioncall> {"name": "weather", "arguments": \'{"city": "Paris", "days": 2}\'} <|endoftext|>',  # Glaive
        "<tool_call>\n{'name': 'weather', 'arguments': {'city': 'Paris', 'days': 2}}\n</tool_call>",  # Hermes
        '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris", "days": 2}}]',
        {"name": "weather", "parameters": {"city": "Paris", "days": 2}},  # Llama
        {"type": "tool_use", "id": "t1", "name": "weather", "input": {"city": "Paris", "days": 2}},  # Anthropic
        {"function_call": {"name": "weather", "arguments": '{"city": "Paris", "days": 2}'}},
        [{"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": PARIS}]}],
        json.dumps([PARIS]),  # xLAM: text of text
        str([PARIS]),  # as Python prints it
        [{"weather": {"city": ["Paris", "Paris, France"], "days": [2]}}],  # BFCL
        {"id": "simple_0", "ground_truth": [{"weather": {"city": ["Paris"], "days": ["", 2]}}]},
        {"weather": {"city": "Paris", "days": 2}},
        [{"name": "weather", "arguments": {"city": "Paris", "days": "2"}}],  # a number as text
    ],
)
def test_the_expected_call_in_the_shapes_of_public_sets(truth):
    truth = truth if isinstance(truth, str) and not truth.startswith('[{"') else json.dumps(truth)
    assert one(turns(PARIS), truth) == (1.0, RIGHT, None)
    for wrong in (
        turns(ROME),
        turns(PARIS, ROME),
        turns({"name": "weather", "arguments": {"city": "Paris", "days": 3}}),
    ):
        assert one(wrong, truth)[0] == 0.0


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        ({"query": "tea", "limit": 5}, True),
        ({"query": "Tea", "limit": 5.0}, True),
        ({"query": "tea"}, True),
        ({"query": "tea", "limit": 6}, False),
        ({"limit": 5}, False),
        ({"query": "tea", "exact": True}, False),
        ({"query": "tea", "where": {"shop": "a"}}, True),
        ({"query": "tea", "where": {"shop": "b"}}, False),
        ({"query": "tea", "tags": ["x", 1]}, True),
        ({"query": "tea", "tags": [1, "x"]}, False),
    ],
)
def test_accepted_values_and_optional_arguments_as_in_bfcl(arguments, right):
    options = {
        "query": ["tea", "Tea"], "limit": [5, ""], "where": [{"shop": ["a", "A"]}, ""], "tags": [["x", 1], ""],
    }  # fmt: skip
    assert one(search(**arguments), [{"shop.search": options}], tools=ALL)[0] == float(right)


def test_calls_find_the_partner_that_leaves_one_for_the_others():
    truth = [{"weather": {"city": ["Paris", "Rome"]}}, {"weather": {"city": ["Paris"]}}]
    one_city, other = ({"name": "weather", "arguments": {"city": city}} for city in ("Paris", "Rome"))
    for calls in ((one_city, other), (other, one_city), (one_city, one_city)):
        assert one(turns(*calls), truth)[0] == 1.0
    value, detail, _ = one(turns(other, other), truth)
    assert value == 0.0 and detail["match"] == 0.5
    assert detail["wrong"] == ['expected weather({"city": ["Paris"]})', 'not expected: weather({"city": "Rome"})']


def test_a_default_that_is_said_is_the_same_call():
    plain = {"name": "shop.search", "arguments": {"query": "tea"}}
    assert one(search(query="tea", limit=10), plain, tools=ALL)[0] == 1.0
    assert one(search(query="tea", limit=9), plain, tools=ALL)[0] == 0.0
    said = {"name": "shop.search", "arguments": {"query": "tea", "limit": 10}}
    assert one(search(query="tea"), said, tools=ALL)[0] == 1.0


def test_a_number_as_text_is_another_value_in_a_call():
    for text, value in (("3", 3), ("true", True)):
        key = "limit" if value == 3 else "exact"
        truth = {"name": "shop.search", "arguments": {key: text}}
        assert one(search(**{key: value}), truth, tools=ALL)[0] == 1.0
        assert one(search(**{key: text}), truth, tools=ALL)[0] == 0.0
    assert one(search(query=3), {"name": "shop.search", "arguments": {"query": "3"}}, tools=ALL)[0] == 0.0


@pytest.mark.parametrize(
    ("truth", "word"),
    [
        ('[weather("Paris")]', "calls that can't be read: arguments without names in a call of 'weather'"),
        ("[weather(city=Paris)]", "calls that can't be read"),
        ('weather(city="Rome"', "a bracket or quote that is not closed"),
        ('weather(city="Rome) and so on', "a bracket or quote that is not closed"),
        ('weather(city="Rome"); then', "'then' is none"),
        (f'weather(city="{"x" * 200_001}")', "a long text"),
        ("weather(**{})", "arguments without names in a call of 'weather'"),
        ('{"name": "weather", "arguments": "{city"}', "a call that can't be read: arguments of 'weather'"),
        ('<tool_call>{"name": "weather", "arguments": {</tool_call>', "a call that can't be read"),
        ('[{"name": "wether", "arguments": {}}]', "ground_truth calls 'wether', which is not among the tools"),
        (json.dumps([PARIS] * 201), "more than 200 calls"),
    ],
)
def test_expected_calls_that_cannot_be_judged_give_no_value(truth, word):
    value, detail, error = one(turns(PARIS), truth)
    assert (value, detail) == (None, None) and word in error


@pytest.mark.parametrize(
    "text",
    [
        tags(PARIS),
        "<tool_call>\n<function=weather>\n<parameter=city>\nParis\n</parameter>\n<parameter=days>\n2\n</parameter>\n"
        "</function>\n</tool_call>",
        '[TOOL_CALLS][{"name": "weather", "arguments": {"city": "Paris", "days": 2}}]',
        '<|python_tag|>{"name": "weather", "parameters": {"city": "Paris", "days": 2}}',
        '[weather(city="Paris", days=2)]',
        '{"name": "weather", "arguments": {"city": "Paris", "days": 2}}',
    ],
)
def test_calls_in_the_forms_that_models_write(text):
    assert one(None, PARIS, response=text)[:2] == one(turns(text=text), PARIS)[:2] == (1.0, RIGHT)
    assert one(None, ROME, response=text)[0] == 0.0


def test_many_calls_are_not_null():
    value, detail, _ = one(turns(*[ROME] * 300), [PARIS, ROME])
    assert value == 0.0 and detail["match"] == pytest.approx(1 / 300)
    assert one(turns(*[ROME] * 300), [PARIS], tools=[WEATHER])[0] == 0.0
