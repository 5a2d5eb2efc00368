"""JSON text whose value is not written again as it was is noted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.exact_json import Rewritten, parse_noting
from schemas.json_text import dump

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": 1, "b": [1.5, -2, 0.25, true, null]}',
        ' {\n"a" :1.0 } ',
        '{"a": "\\u00e9 \\/ \\" 1.10 \\n"}',
        '{"é": "ü  x"}',
        '{"a": 123456789012345678901234567890, "b": 1e-07, "c": 1e+16}',
        '{"a": {"b": {"c": 0.1}}}',
    ],
)
def test_what_is_written_again_is_not_noted(text):
    assert type(parse_noting(text)) is dict and parse_noting(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1.10}', {"a": 1.1}),
        ('{"a": 1e5}', {"a": 100000.0}),
        ('{"a": 1E-7}', {"a": 1e-07}),
        ('{"a": -0}', {"a": 0}),
        ('{"a": 0.1000000000000000055511}', {"a": 0.1}),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ('{"a": NaN}', {"a": None}),
        ('{"a": [[1.10]]}', {"a": [[1.1]]}),
        ('{"a": "\\u00e9", "b": {"c": [{"d": 1.10}]}}', {"a": "é", "b": {"c": [{"d": 1.1}]}}),
    ],
)
def test_other_digits_and_keys_that_stand_twice_are_noted(text, value):
    found = parse_noting(text)
    assert isinstance(found, Rewritten) and found == value


def test_of_several_calls_those_are_noted_that_differ():
    found = parse_noting('[{"arguments": {"a": 1.10}}, {"arguments": {"a": 1.1}}, {"arguments": {"a": 1, "a": 2}}]')
    assert [isinstance(call["arguments"], Rewritten) for call in found] == [True, False, True]


@given(JSON)
def test_what_we_write_is_read_back_and_not_noted(value):
    for text in (dump(value, "x"), json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        assert parse_noting(text) == value and not isinstance(parse_noting(text), Rewritten)


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[" * 100_000, "nope"])
def test_what_is_no_json_is_a_value_error(text):
    with pytest.raises(ValueError):
        parse_noting(text)
