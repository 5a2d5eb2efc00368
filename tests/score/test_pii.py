"""Personal items that are found, texts that only look like one, and masking in ``detail``."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.text.personal_items import FORMS, LIKELY, PATTERNS
from curate.score.pii import score
from schemas.errors import UserError

ITEMS = [
    ("email", "jane.doe+news@mail.gmail.com"),
    ("email", "o@x.io"),
    ("phone", "+49 30 901820"),
    ("phone", "(415) 555-2671"),
    ("phone", "415-555-2671"),
    ("phone", "+14155552671"),
    ("credit_card", "4111 1111 1111 1111"),
    ("credit_card", "5555555555554444"),
    ("credit_card", "3782-822463-10005"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "GB82WEST12345698765432"),
    ("ssn", "536-90-4399"),
    ("ip", "8.8.8.8"),
    ("ip", "2001:4860:4860::8888"),
]
NONE = [
    "",
    "The answer is 42.",
    "a@example.com",
    "me@host.test",
    "user@localhost",
    "3.14159265358979",
    "@property",
    "1,234,567 and 2,000,000",
    "28980 - 18480 = 10500",
    "On 2024-05-17 12:30:45",
    "17.05.2024 12",
    "2023/2024",
    "1990 1991 1992 1993",
    "4111 1111 1111 1112",
    "1234567890",
    "4155552671",
    "DE89 3704 0044 0532 0130 01",
    "078-05-1120",
    "000-12-3456",
    "192.168.0.1",
    "127.0.0.1",
    "999.1.1.1",
    "1.2.3",
    "std::vector",
    "a::b",
    "::1",
    "12:30:45",
    "00:1A:2B:3C:4D:5E",
    "0000 0000 0000 0000",
    "x = a[1][2] / 3.0 + 415",
]


def found(text, **settings):
    """The value and detail of one text."""
    value, detail, error = score(pl.Series([text], dtype=pl.String), **settings).row(0)
    assert error is None
    return value, json.loads(detail or "[]")


@pytest.mark.parametrize(("kind", "item"), ITEMS)
def test_an_item_is_found_where_it_stands_and_not_repeated(kind, item):
    for before, after in (("", ""), ("Grüße 🙂: ", " and so on."), ("(", ")"), ("at ", ", then"), ("is ", "\nAND SO")):
        value, (detail,) = found(before + item + after)
        assert (value, detail["kind"], detail["at"]) == (1.0, kind, len(before)), before + item + after
        assert len(detail["masked"]) == len(item) and item not in json.dumps(detail)
        assert sum(a == b and a.isalnum() for a, b in zip(item, detail["masked"], strict=True)) <= 2


@pytest.mark.parametrize("text", NONE)
def test_texts_that_are_no_personal_item(text):
    assert found(text) == (0.0, [])


def test_all_are_counted_and_the_first_are_listed():
    text = " ".join(f"a{n}@mail.org" for n in range(50)) + " 8.8.8.8"
    value, detail = found(text)
    assert value == 51.0 and [one["at"] for one in detail] == sorted(one["at"] for one in detail) and len(detail) == 20


def test_only_the_kinds_asked_for():
    text = "jane@mail.org, 8.8.8.8 or 415-555-2671"
    assert [one["kind"] for one in found(text, kinds=["ip", "email"])[1]] == ["email", "ip"]
    with pytest.raises(UserError, match="expected at least one kind"):
        found(text, kinds=[])
    with pytest.raises(UserError, match="no kind of personal item 'emails'; did you mean 'email'"):
        found(text, kinds=["emails"])


def test_a_number_without_its_country_belongs_to_the_region():
    assert found("030 901820")[0] == 0.0
    assert found("030 901820", region="DE")[0] == 1.0
    with pytest.raises(UserError, match="no region"):
        found("x", region="Germany")


def test_null_is_null():
    assert score(pl.Series([None, ""], dtype=pl.String)).rows() == [(None, None, "no response"), (0.0, None, None)]


@given(st.lists(st.sampled_from([*(item for _, item in ITEMS), *NONE, " ", "x", "-", ".", "\n"]) | st.text(max_size=5)))
def test_nothing_is_passed_over_by_the_quick_look(parts):
    text = "".join(parts)
    for kind in FORMS:
        if PATTERNS[kind].search(text):
            assert pl.Series([text]).str.contains(LIKELY[kind])[0], kind
    value, detail = found(text)
    assert len(detail) == min(value, 20)
