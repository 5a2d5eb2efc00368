"""Responses in the expected language, and in others."""

import json

import polars as pl
import pytest

from curate.score.language import score
from schemas.errors import UserError

GERMAN = "Das ist ein schöner Tag, und wir gehen heute im Park spazieren."
ENGLISH = "This is a beautiful day, and we are going for a walk in the park."
CHINESE = "今天天气很好，我们去公园散步吧。"


def one(response, prompt=None, **settings):
    """The value, detail and error of one row."""
    value, detail, error = score(
        pl.Series([response], dtype=pl.String), pl.Series([prompt], dtype=pl.String), **settings
    ).row(0)
    return value, detail and json.loads(detail), error


@pytest.mark.parametrize(("text", "code"), [(GERMAN, "de"), (ENGLISH, "en"), (CHINESE, "zh")])
def test_by_default_it_is_the_prompts(text, code):
    value, detail, error = one(text, text)
    assert (value, detail["language"], detail["wanted"], error) == (1.0, code, code, None)
    assert 0.5 < detail["confidence"] <= 1
    other = ENGLISH if code != "en" else GERMAN
    assert one(other, text)[0] == 0.0


def test_a_language_may_be_set_whatever_the_prompts():
    assert one(GERMAN, ENGLISH, want="de")[0] == 1.0
    assert one(GERMAN, None, want="en")[0] == 0.0
    with pytest.raises(UserError, match="no language 'german'"):
        one(GERMAN, want="german")


def test_code_formulas_and_addresses_are_no_language():
    code = "```python\n# sort the numbers, then print each\nfor value in sorted(numbers):\n    print(value)\n```"
    assert one(f"So geht es, mit einer Schleife:\n{code}\nDas gibt die Zahlen der Reihe nach aus.", GERMAN)[0] == 1.0
    mixed = "Siehe https://example.org/the/long/way/of/things und `the_name_of_this` sowie $the = quick$ für mehr dazu."
    assert one(mixed, GERMAN)[1]["language"] == "de"
    assert one(code, ENGLISH) == (None, None, "too little text to tell the response's language")
    assert one(code.removesuffix("```"), ENGLISH)[0] is None, "a block that was cut before its end"


def test_a_language_recognised_with_little_confidence_is_none():
    value, detail, error = one("Configuration", ENGLISH)
    assert (value, error) == (
        None,
        f"not sure of the response's language ({detail['language']}, {round(detail['confidence'], 2)})",
    )
    assert detail["confidence"] < 0.5 and one("Configuration", ENGLISH, sure=0.0)[0] is not None
    assert "prompt's language" in one(ENGLISH, "Describe a mojito cktail.", sure=0.9)[2]


def test_an_unrecognised_language_is_null_with_its_reason():
    assert one("42", ENGLISH)[2] == "too little text to tell the response's language"
    value, detail, error = one(ENGLISH, "2+2?")
    assert (value, detail["language"], detail["wanted"]) == (None, "en", None)
    assert error == "too little text to tell the prompt's language"
    assert one(ENGLISH, None)[2] == "no prompt"
    assert one(None, ENGLISH) == (None, None, "no response")
