"""Words and phrases that begin or end in a sign, or are of a script without spaces, in every kind that finds one."""

import json

import polars as pl
import pytest

from curate.score.constraints import score

# A phrase, texts that have it as whole words, and one that does not.
PHRASES = [
    ("C#", ["I use C# daily.", "c#"], "I use C."),
    ("C++", ["I use C++.", "C++17 it is"], "C+"),
    ("U.S.", ["The U.S. is", "u.s."], "The US is"),
    ("$5", ["It costs $5.", "US$5"], "It costs $50."),
    (".NET", ["Use .NET 8.", "ASP.NET"], "The .NETS"),
    ("50%", ["About 50% of it", "50%ish"], "150%"),
    ("हिन्दी", ["वह हिन्दी बोलता है", "हिन्दी।"], "वह हिन्दीवाला है"),
    ("हिन्द", ["हिन्द महासागर"], "हिन्दी में"),
    ("苹果", ["我喜欢苹果", "苹果派"], "我喜欢梨"),
    ("ラーメン", ["ラーメンが好き", "味噌ラーメン"], "うどん"),
    ("ไทย", ["ภาษาไทยง่าย"], "ภาษา"),
    ("AI", ["使用AI技术", "AI."], "maintain"),
    ("don't", ["I don’t know", "DON'T"], "I do not"),
    ("hot dog", ["A hot\ndog."], "hot dogs"),
]


def value(text, constraint):
    row = score(pl.Series([text]), pl.Series([json.dumps([constraint])])).row(0, named=True)
    assert row["error"] is None
    return row["value"]


@pytest.mark.parametrize(("phrase", "texts", "without"), PHRASES)
def test_a_phrase_is_whole_where_it_has_a_word_at_its_end(phrase, texts, without):
    for text, there in (*((text, 1.0) for text in texts), (without, 0.0)):
        assert value(text, {"kind": "keywords", "words": [phrase]}) == there
        assert value(text, {"kind": "keyword_count", "word": phrase, "n": 1}) == there
        assert value(text, {"kind": "forbidden_words", "words": [phrase]}) == 1 - there
        assert value(text, {"kind": "keywords:forbidden_words", "forbidden_words": [phrase]}) == 1 - there
        assert value(text, {"kind": "keywords:exclude_word_harder", "keyword": phrase}) == 1 - there
        assert value(text, {"kind": "verify_keyword_frequency", "word": phrase, "N": 1}) == there


def test_a_text_begins_and_ends_with_a_phrase_without_spaces():
    for text, phrase in (("苹果很好", "苹果"), ("C++17", "C++"), ("AI技术", "AI")):
        assert value(text, {"kind": "starts_with", "phrase": phrase}) == 1.0
        assert value(text, {"kind": "validate_paragraphs", "N": 1, "i": 1, "first_word": phrase}) == 1.0
    assert value("我喜欢苹果。", {"kind": "ends_with", "phrase": "苹果"}) == 1.0
    assert value("हिन्दी में", {"kind": "starts_with", "phrase": "हिन्द"}) == 0.0
    assert value("hotel", {"kind": "validate_paragraphs", "N": 1, "i": 1, "first_word": "hot"}) == 0.0
