"""Differences as text."""

import pytest

from train.evaluating.signed import signed


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0.0, "+0.000"),
        (0.4714, "+0.471"),
        (-0.00004, "-4e-05"),
        (-12.345, "-12.3"),
        (1234.5, "+1,234"),
        (-3e9, "-3e+09"),
    ],
)
def test_a_difference_has_its_sign_and_few_digits(value, text):
    assert signed(value) == text
