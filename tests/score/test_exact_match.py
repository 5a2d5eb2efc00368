"""Exact match: what normalisation takes away, and what it never does; several accepted answers."""

import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from curate.score.exact_match import score

SYMBOLS = "0123456789+-*/=<>%$#@^&|~_°²³½×÷≤≥±€£µ√∞()[]{}\\①٣"


def match(response, truth, **settings):
    return score(pl.Series([response], dtype=pl.String), pl.Series([truth], dtype=pl.String), **settings).row(0)


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        ("-5", "5"),
        ("+5", "5"),
        ("50%", "50"),
        ("$50", "50"),
        ("50°", "50"),
        ("C#", "C"),
        ("C++", "C"),
        ("C++", "C#"),
        ("a-b", "a b"),
        ("a_b", "a b"),
        ("a/b", "ab"),
        ("3.5", "35"),
        (".5", "5"),
        ("1:2", "1/2"),
        ("12 - 7", "12 * 7"),
        ("5!", "5"),
        ("n!", "n"),
        ("C:", "C"),
        ("int?", "int"),
        ("save!", "save"),
        ("empty?", "empty"),
        ("is_valid?", "is_valid"),
        ("x?", "x"),
        ("3.14...", "3.14"),
        ("fe80::", "fe80"),
        ("A-", "A"),
        ("A+", "A"),
        ("f'", "f"),
        ('5"', "5"),
        ("(5)", "5"),
        ("{5}", "5"),
        ("x²", "x2"),
        ("½", "1/2"),
        ("①", "1"),
        ("5.0", "5"),
        ("1,000", "1000"),
        ("U.S.", "US"),
        ("__init__", "init"),
        ("*5*", "5"),
        ("Paris, France", "Paris"),
        ("", "Paris"),
    ],
)
def test_texts_that_say_another_thing_are_not_equal(response, truth):
    assert match(response, truth) == match(truth or "Paris", response or "London") == (0.0, None)


@pytest.mark.parametrize(
    ("response", "truth"),
    [
        (" paris.\n", "Paris"),
        ("Yes.", "yes"),
        ("Yes!", "yes"),
        ("Really?!", "really"),
        ("Oui !", "oui"),
        ("no!", "no"),
        ("Save!", "save"),
        ("so fine!", "so fine"),
        ("save!!", "save"),
        ("Well...", "well"),
        ("¡Hola!", "hola"),
        ("是。", "是"),
        ('"Paris"', "Paris"),
        ("“Paris.”", "paris"),
        ("'Paris'.", "Paris"),
        ("«Paris»", "Paris"),
        ("「東京」", "東京"),
        ("`f(x)`", "f(x)"),
        ("**Paris**", "Paris"),
        ("C#.", "C#"),
        ("C++.", "c++"),
        ("50%.", "50%"),
        ("−5", "-5"),
        ("1939–1945", "1939-1945"),
        ("５", "5"),
        ("cafe\u0301", "café"),
        ("it’s", "it's"),
        ("a \n\t b", "a b"),
        ("b", "B"),
        ("?", "?"),
    ],
)
def test_texts_that_say_the_same_are_equal(response, truth):
    assert match(response, truth) == match(truth, response) == (1.0, None)


WORDS = st.text(alphabet="abXYé 東" + SYMBOLS, min_size=1, max_size=12).map(lambda text: " ".join(text.split()))


@given(WORDS, st.sampled_from(SYMBOLS), st.integers(0, 12), st.booleans())
def test_one_other_digit_sign_or_symbol_is_never_equal(text, symbol, place, insert):
    assume(text)
    place %= len(text)
    changed = text[:place] + symbol + text[place + (not insert) :]
    assume(changed != text and not changed.startswith(("[", "{")) and not text.startswith(("[", "{")))
    for response, truth in ((text, changed), (changed, text)):
        assert match(response, truth, ignore_articles=True) == (0.0, None)


@given(st.text(min_size=1, max_size=20))
def test_equal_spelling_is_always_right(text):
    assume(text.strip())
    assert match(text, text) == (1.0, None)


def test_each_part_of_normalisation_is_a_setting():
    assert match("paris", "Paris", ignore_case=False) == (0.0, None)
    assert match("Paris.", "Paris", ignore_punctuation=False) == (0.0, None)
    assert match("a  b", "a b", ignore_space=False) == (0.0, None)
    assert match("−5", "-5", ignore_typography=False) == (0.0, None)
    assert match("the cat", "cat") == (0.0, None)
    assert match("The  cat.", "a cat", ignore_articles=True) == (1.0, None)
    assert match("vitamin A", "vitamin", ignore_articles=True) == match("A", "B", ignore_articles=True) == (0.0, None)


def test_what_is_missing_is_null_with_its_reason_never_zero():
    assert match("Paris", None) == (None, "no ground_truth")
    assert match("Paris", " ") == (None, "no ground_truth")
    assert match(None, "Paris") == (None, "no response")
    for truth in ("[]", '{"text": [], "answer_start": []}', '[""]'):
        assert match("Paris", truth) == (None, "ground_truth holds no answer")


@pytest.mark.parametrize(
    "truth",
    [
        '["Paris"]',
        "['Paris']",
        "('Paris',)",
        "['Lyon' 'Paris']",
        "array(['Lyon', 'Paris'], dtype=object)",
        '["City of Light", "Paris"]',
        '[["Paris"]]',
        '[null, "Paris"]',
        '{"text": ["Paris", "paris"], "answer_start": [1, 5]}',
        "{'text': array(['Paris'], dtype=object), 'answer_start': array([1])}",
        '{"value": "Paris", "aliases": ["City of Light"], "normalized_aliases": ["x"], "type": "WikipediaEntity"}',
        '{"aliases": ["Lyon", "Paris"]}',
        '{"answers": {"text": ["Paris"]}}',
        '{"short_answers": [{"text": ["Paris"], "start_token": [4]}]}',
        '{"number": "", "date": {"day": "", "month": "", "year": ""}, "spans": ["Paris"]}',
    ],
)
def test_any_of_several_accepted_answers_is_right(truth):
    assert match("Paris.", truth) == match(truth, truth) == (1.0, None)
    assert match("London", truth) == match("x", truth) == match("LyonParis", truth) == (0.0, None)
    assert match("Paris.", truth, several=False) == (0.0, None)


def test_a_list_of_one_number_is_that_number():
    assert match("5", "[5]") == match("5.", "[5]") == match("2.50", "[2.50]") == (1.0, None)
    assert match("-5", "[5]") == match("2.5", "[2.50]") == match("[5]", "5") == (0.0, None)
    assert match("7", '{"number": "7", "spans": []}') == (1.0, None)


def test_a_list_answers_a_list_whatever_its_quotes():
    assert match("['Paris']", '["Paris"]') == match("[ 1,2 ]", "[1, 2]") == (1.0, None)
    assert match('["b", "a"]', '["a", "b"]') == match("[2, 1]", "[1, 2]") == (0.0, None)
    assert match("(1, 2)", "[1, 2]") == match("[1, 2]", "(1, 2)") == (0.0, None)


def test_whether_numbers_are_alternatives_is_asked_not_guessed():
    value, error = match("1", "[1, 2]")
    assert value is None and "several" in error
    assert match("1", "[1, 2]", several=True) == match("[1, 2]", "[1, 2]") == (1.0, None)
    assert match("1", "[1, 2]", several=False) == match("3", "[1, 2]") == (0.0, None)
    assert match("a", '[["a", "b"], ["c"]]')[0] is match("1", '{"spans": ["1", "2"]}')[0] is None


def test_a_mapping_with_other_keys_is_an_answer_itself():
    assert match("Bob", '{"text": "Bob", "age": 3}') == (0.0, None)
    assert match('{"text": "Bob",\n "age": 3}', '{"text": "Bob", "age": 3}') == (1.0, None)


def test_rows_keep_their_places():
    frame = score(pl.Series(["a", None, "y", "1", "b"]), pl.Series(['["x", "a"]', "x", '["y"]', "[1, 2]", "a"]))
    assert frame["value"].to_list() == [1.0, None, 1.0, None, 0.0]
    assert score(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String)).height == 0
