"""Counts of tokens that servers and stores write: any value gives a count that can be summed, or none."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.token_count import MOST_TOKENS, token_count


@pytest.mark.parametrize(
    ("found", "count"),
    [
        (5, 5),
        (0, 0),
        (5.0, 5),
        ("5", 5),
        (2.4, 2),
        (MOST_TOKENS, MOST_TOKENS),
        (MOST_TOKENS + 1, None),
        (2**62, None),
        (10**30, None),
        (10**400, None),
        ("9" * 5000, None),
        (-3, None),
        (True, None),
        (None, None),
        ("many", None),
        ([5], None),
        (math.nan, None),
        (math.inf, None),
        ("nan", None),
    ],
)
def test_what_can_be_a_count_is_one(found, count):
    assert token_count(found) == count


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_any_value_gives_a_count_within_bounds_or_none(found):
    count = token_count(found)
    assert count is None or (type(count) is int and 0 <= count <= MOST_TOKENS)
