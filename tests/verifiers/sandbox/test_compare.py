"""What a program printed or returned, compared with what its test expects."""

import time
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from curate.verifiers.sandbox.compare import same_text, same_value, shown
from curate.verifiers.sandbox.values import encode


def no_reference(value: object) -> dict[str, Any]:
    """For ``encode``, where every value is plain."""
    raise AssertionError(f"{value!r} is not plain")


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ("1 2\n3\n", "1 2\n3", True),
        ("1  2 \n\n3", "1 2\n3", True),
        ("1 2 3", "1 2\n3", False),
        ("0.3333333", "0.33333331", True),
        ("0.34", "0.33", False),
        ("1", "2", False),
        ("1.0", "1", False),
        ("YES", "yes", False),
        ("", "1", False),
        ("nan", "1.0", False),
        ("x", "1.5", False),
        ("0.00001", "1e-05", True),
        ("100000.0", "1E5", True),
        ("2e5", "1e5", False),
        ("1.0", "1e", False),
        ("2\n1", "1\n2", False),
        ("1 2  \r\n3\r\n", "1 2\n3", True),
        ("1_0.5", "10.5", False),
        ("\u0661\u0660.5", "10.5", False),
        ("10.5", "\u0661\u0660.5", False),
        ("+.5", "0.5", True),
        ("inf", "1.5", False),
        ("infinity", "1e999", False),
    ],
)
def test_outputs_are_compared_line_by_line(found, expected, same):
    assert same_text(found, expected) is same


@pytest.mark.parametrize(
    ("found", "expected", "same"),
    [
        ((1, 2), [1, 2], True),
        ([[1], (2,)], [[1], [2]], True),
        (3, [3], False),
        (0.1 + 0.2, 0.3, True),
        ({1: 2}, {"1": 2}, True),
        ("2", 2, False),
        ([1], 1, False),
        (None, None, True),
        (0.31, 0.3, False),
        ({1, 2}, [1, 2], False),
    ],
)
def test_results_are_compared_as_json(found, expected, same):
    assert same_value(encode(found, no_reference), expected) is same


def test_an_expected_value_may_be_wrapped():
    assert (
        same_value(3, [3], wrapped=True) and same_value([3], [3], wrapped=True) and same_value([], [[]], wrapped=True)
    )
    assert not any(same_value(3, expected, wrapped=True) for expected in ([4], [3, 3], [], [[3]], 4))
    assert not same_value([3], 3, wrapped=True)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (10**400, 0.5),
        (Decimal("sNaN"), 5),
        (Decimal("1e999999999"), 5),
        ("\ud800", "a"),
        (10**9000, 5),
        (Fraction(1, 3), 0.3),
        ({10**9000: 1}, {"1": 1}),
        ({1: {2: (3, [4] * 1000)}}, {"1": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_incomparable_result_is_unequal_and_can_be_shown(found, expected):
    data = encode(found, no_reference)
    assert not same_value(data, expected)
    shown(data).encode()


@pytest.mark.parametrize(
    "data",
    [
        {"named": ["T", ["fi", "\ufb01"], [1, 2]]},
        {"set": [n * ((1 << 61) - 1) for n in range(50_000)]},
        {"dict": [[n * ((1 << 61) - 1), 0] for n in range(50_000)]},
        {"dict": [[{"dict": []}, 1], 2]},
        {"dict": 3},
        {"tuple": 3},
        {"fraction": [{"int": "0x" + "7f3" * 10**6}, {"int": "0x" + "6e1" * 10**6}]},
        {"fraction": [{"decimal": "1e999999999"}]},
        {"fraction": [1, 0]},
        {"named": 1},
        {"int": "x"},
        {"x": {"y": {}}},
        {"decimal": "9" * 10**6},
        {"float": []},
        {},
        {"a": 1, "b": 2},
    ],
    ids=lambda value: " ".join(value),
)
def test_a_forged_result_costs_no_time_and_is_nothing(data):
    began = time.process_time()
    assert not any(same_value(data, expected) for expected in (6, 0.5, [6], {"a": 1}, "6", None, True))
    shown(data).encode()
    assert time.process_time() - began < 2
