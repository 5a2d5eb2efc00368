"""Personal items and secrets are masked: exactly those that the scorers count."""

import json

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.score.pii as pii
import curate.score.secrets as secrets
from curate.generate.mask import KINDS, write
from schemas.errors import UserError

KEY = "ghp_" + "aB3dE5fG7hI9jK1lM2nO4pQ6rS8tU0vW2xY4"
BODY = "MIIEpAIBAAKCAQEA7bq1Xk9sVt3Qw5Rr8Uu2Yy4Zz6Aa0Bb1Cc3Dd"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{BODY}\n{BODY}==\n-----END RSA PRIVATE KEY-----"
ITEMS = ["jane@mail.org", "+14155552671", "8.8.8.8", "4111 1111 1111 1111", "536-90-4399", KEY, PEM]
MARKS = ["<EMAIL>", "<PHONE>", "<IP>", "<CREDIT_CARD>", "<SSN>", "<SECRET>", "<SECRET>"]


def masked(*texts, **settings):
    return write(pl.Series("response", texts, dtype=pl.String), **settings).to_list()


@pytest.mark.parametrize(("item", "mark"), zip(ITEMS, MARKS, strict=True))
def test_an_item_becomes_its_mark_and_the_rest_stays(item, mark):
    for before, after in (("", ""), ("Grüße 🙂: ", " und so weiter.\n"), ("(", ")")):
        assert masked(before + item + after) == [before + mark + after]


@pytest.mark.parametrize(("item", "mark"), zip(ITEMS, MARKS, strict=True))
def test_items_in_json_and_emphasis_are_hidden_and_json_parses(item, mark):
    for times in (1, 2):  # JSON within JSON as well
        text = f"so:\n{item}\n"
        for _ in range(times):
            text = json.dumps(text)
        (new,) = masked(text)
        for _ in range(times):
            new = json.loads(new)
        assert new.split("\n")[1] == mark and new.startswith("so:")
    if item != PEM:
        assert masked(f"Write _{item}_ or __{item}__ --") == [
            f"Write _{mark}_ or __{mark}__ --".replace("_<EMAIL>", "<EMAIL>").replace("_<EMAIL>", "<EMAIL>")
        ]


def test_mail_addresses_of_all_sorts():
    texts = ["josé@mail.org", "bob@münchen.de", "bob@mail.org--he said", "bob@mail.org-list", r"CORP\nick@mail.org"]
    assert masked(*texts) == ["<EMAIL>", "<EMAIL>", "<EMAIL>--he said", "<EMAIL>-list", r"CORP\n<EMAIL>"]


def test_many_in_one_text_and_nothing_is_no_new_candidate():
    text = "Write to a@mail.org or b@mail.org, call +14155552671."
    assert masked(text, "Nothing here.", "", None, "me@example.com") == [
        "Write to <EMAIL> or <EMAIL>, call <PHONE>.",
        None,
        None,
        None,
        None,
    ]


def test_a_secret_that_shows_once_its_neighbour_is_hidden():
    assert masked(PEM + KEY) == ["<SECRET><SECRET>"]


def test_only_the_kinds_asked_for():
    text = f"a@mail.org has {KEY} at 8.8.8.8"
    assert masked(text, kinds=["email"]) == [f"<EMAIL> has {KEY} at 8.8.8.8"]
    assert masked(text, kinds=["secret"]) == ["a@mail.org has <SECRET> at 8.8.8.8"]
    assert masked("030 901820", kinds=["phone"]) == [None]
    assert masked("030 901820", kinds=["phone"], region="DE") == ["<PHONE>"]


def test_mistakes_are_named():
    with pytest.raises(UserError, match="no kind of item 'emails'; did you mean 'email'"):
        masked("a", kinds=["emails"])
    with pytest.raises(UserError, match="expected at least one kind of item"):
        masked("a", kinds=[])
    with pytest.raises(UserError, match="no region"):
        masked("a", region="Germany")


def test_no_rows_and_a_long_text():
    assert write(pl.Series([], dtype=pl.String)).to_list() == []
    text = "word " * 200_000
    assert masked(text + "a@mail.org") == [text + "<EMAIL>"]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from([*ITEMS, " ", ", ", "x", "\n", "é", "1", "-"]), max_size=12))
def test_what_is_masked_is_what_is_counted_and_is_gone_after(parts):
    text = "".join(parts)
    column = pl.Series([text])
    some = pii.score(column)["value"][0] + secrets.score(column)["value"][0]
    (new,) = masked(text)
    assert (new is not None) == (some > 0)
    if new is not None:
        assert secrets.score(pl.Series([new]))["value"][0] == pii.score(pl.Series([new]))["value"][0] == 0.0
        assert sum(new.count(f"<{kind.upper()}>") for kind in KINDS) >= 1
        assert BODY not in new or PEM not in text
