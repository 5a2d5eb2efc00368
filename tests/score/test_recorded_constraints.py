"""Constraints as public sets record them: numbers as text or floats, lists as text, RLVR-IFEval's functions."""

import json

import polars as pl
import pytest

from curate.score.constraints import score
from tests.score.rlvr_cases import RLVR_CASES

NO_COMMA, BULLETS, WORDS = (
    "punctuation:no_comma",
    "detectable_format:number_bullet_lists",
    "length_constraints:number_words",
)
KEYS = (
    "N", "quantifier", "end_phrase", "keyword_list", "word", "forbidden_words", "letter", "i", "first_word",
    "postscript_marker", "options", "section_splitter", "original_prompt", "language",
)  # fmt: skip


def scored(text, truth):
    truth = truth if isinstance(truth, str) else json.dumps(truth)
    return score(pl.Series([text]), pl.Series([truth])).row(0)


@pytest.mark.parametrize("three", [3, 3.0, "3", " 3 ", "3.0", "+3"])
def test_a_whole_number_is_read_however_it_is_written(three):
    for truth in (
        {"instruction_id_list": [BULLETS], "kwargs": [{"num_bullets": three, "relation": None}]},
        {"instruction_id_list": [BULLETS], "kwargs": [{"num_bullets": three, "relation": float("nan")}]},
        [{"kind": "n_lines", "n": three, "how": None}],
        {"func_name": "verify_bullet_points", "N": three, "quantifier": None},
    ):
        value, detail, error = scored("* a\n* b\n* c", truth)
        assert (value, error) == (1.0, None) and "3" in json.dumps(json.loads(detail)["passed"])
        assert scored("* a\n* b", truth)[0] == 0.0


@pytest.mark.parametrize("three", [3.5, "3.5", "three", "", "-3", True, [3], 1e300, float("inf"), "9" * 30])
def test_what_is_no_whole_number_is_an_error_that_shows_it(three):
    value, _, error = scored("* a", {"instruction_id_list": [BULLETS], "kwargs": [{"num_bullets": three}]})
    assert value is None and "expected a whole number, 0 or more" in error


def test_a_setting_that_is_needed_and_null_is_an_error():
    for given in ({}, {"num_bullets": None}, {"num_bullets": float("nan")}, None):
        value, _, error = scored("* a", {"instruction_id_list": [BULLETS], "kwargs": [given]})
        assert value is None and error.startswith(f"ground_truth[0]: {BULLETS} needs 'num_bullets'")


@pytest.mark.parametrize(
    ("names", "kwargs"),
    [
        ([NO_COMMA, WORDS], [{}, {"relation": "less than", "num_words": 3.0}]),
        ([NO_COMMA, WORDS], [None, '{"relation": "less than", "num_words": 3}']),
        ([NO_COMMA, WORDS], '[{}, {"relation": "less than", "num_words": 3}]'),
        ([NO_COMMA, WORDS], "[None, {'relation': 'less than', 'num_words': 3.0, 'letter': nan}]"),
        ([NO_COMMA, WORDS], {"relation": [None, "less than"], "num_words": [None, 3.0]}),
        (json.dumps([NO_COMMA, WORDS]), ["{}", {"relation": "Less_Than", "num_words": "3"}]),
        (f"['{NO_COMMA}', '{WORDS}']", [{}, {"relation": " less than", "num_words": 3}]),
        (f"['{NO_COMMA}'\n '{WORDS}']", [{}, {"relation": "less than", "num_words": 3}]),
    ],
)
def test_names_and_kwargs_are_read_however_they_are_written(names, kwargs):
    for key in ("instruction_id_list", "instruction_id"):
        form = {key: names, "kwargs": kwargs}
        for truth in (form, [form], json.dumps(json.dumps(form)), str(form), [json.dumps(form)]):
            assert scored("one two", truth) == (1.0, scored("one two", truth)[1], None)
            assert scored("one, two three", truth)[0] == 0.0


def test_one_name_alone_and_several_forms_in_a_list():
    form = {"instruction_id": NO_COMMA, "kwargs": {}}
    assert scored("a, b", form)[0] == 0.0
    both = [form, {"func_name": "validate_lowercase", "N": None}, {"kind": "single_line"}]
    assert scored("a b", both)[0] == 1.0
    assert scored("A b", both)[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    "words", [["sea", "salt"], '["sea", "salt"]', "['sea', 'salt']", "['sea' 'salt']", "('sea', 'salt')"]
)
def test_a_list_of_words_is_read_however_it_is_written(words):
    truth = {"instruction_id_list": ["keywords:existence"], "kwargs": [{"keywords": words}]}
    assert scored("Sea, salt", truth)[0] == 1.0
    assert scored("Sea", truth)[0] == scored("seasalt", {**truth, "kwargs": [{"keywords": "salty"}]})[0] == 0.0


@pytest.mark.parametrize(("name", "given", "good", "bad"), RLVR_CASES)
def test_rlvr_ifevals_form_with_all_its_nulls(name, given, good, bad):
    truth = json.dumps({"func_name": name, **dict.fromkeys(KEYS), **given})
    frame = score(pl.Series([good, bad]), pl.Series([truth, truth]))
    assert frame["value"].to_list() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("truth", "error"),
    [
        ({"func_name": "verify_keyword"}, "no kind of constraint 'verify_keyword'; did you mean 'verify_keywords'?"),
        ({"func_name": "validate_haiku"}, "no kind of constraint 'validate_haiku'"),
        ({"func_name": None}, 'found an object of 1; expected an object with a "kind"'),
        ({"func_name": "verify_bullet_points", "N": None}, "verify_bullet_points needs 'N'"),
        ({"func_name": "validate_word_constraint", "N": 2, "quantifier": "about"}, "'quantifier' is 'about'; expected"),
        ({"instruction_id_list": [NO_COMMA, "punctuation:no_dash"]}, "ground_truth[1]: no kind of constraint"),
    ],
)
def test_a_name_that_is_not_known_is_an_error_that_names_it(truth, error):
    value, detail, found = scored("x", truth)
    assert (value, detail) == (None, None) and error in found and "\n" not in found


@pytest.mark.parametrize("quantifier", ["at least", "at_least", "At Least", " at least", "AT-LEAST", "no less than"])
def test_a_quantifier_is_read_however_it_is_written(quantifier):
    for name in ("validate_word_constraint", "verify_sentence_constraint", "validate_frequency_capital_words"):
        truth = {"func_name": name, "N": 2, "quantifier": quantifier}
        assert scored("ONE. TWO.", truth)[0] == scored("ONE. TWO. THREE.", truth)[0] == 1.0
        assert scored("ONE.", truth)[0] == 0.0


def test_a_language_is_read_however_it_is_written():
    text = "Das Wetter ist heute schön und wir fahren mit unseren Freunden an den Strand"
    for language in ("de", "DE", " de ", "de-AT", "de_AT"):
        assert scored(text, [{"kind": "language:response_language", "language": language}])[0] == 1.0


def test_ifevals_other_relations_are_what_they_say():
    for relation, values in {"at most": [1, 1, 0], "more than": [0, 0, 1], "exactly": [0, 1, 0]}.items():
        for name, given in ((WORDS, {"num_words": 2}), ("length_constraints:number_sentences", {"num_sentences": 2})):
            truth = json.dumps({"instruction_id_list": [name], "kwargs": [{**given, "relation": relation}]})
            frame = score(pl.Series(["One.", "One. Two.", "One. Two. Three."]), pl.Series([truth] * 3))
            assert frame["value"].to_list() == values
