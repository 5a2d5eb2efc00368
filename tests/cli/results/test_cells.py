"""The values of a result as a person reads them."""

from decimal import Decimal

import pytest

from cli.results.cells import cell, number_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1000.0, "1000"),
        (999.99999, "1000.0"),
        (-999.99999, "-1000.0"),
        (0.99999, "1.0"),
        (Decimal("2.00001"), "2.000"),
        (123.97, "124.0"),
        (12.3456, "12.35"),
        (0.00001, "1e-05"),
        (1234.96, "1235.0"),
        (3, "3"),
        (float("nan"), "nan"),
        (2e15, "2e+15"),
    ],
)
def test_a_number_that_looks_whole_is_whole(value, text):
    assert number_text(value) == text


def test_bytes_are_shown_as_duckdb_shows_them():
    assert cell(b"\x00\xaba'\"\\ ~\x7f").text == r"\x00\xABa\x27\x22\x5C ~\x7F"
