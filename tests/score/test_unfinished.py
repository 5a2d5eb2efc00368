"""Answers that were cut off, and answers that only look cut off."""

import polars as pl
import pytest

from curate.score.unfinished import score


def score_one(text, reason=None, trace=None, completion=None):
    return score(*(pl.Series([one], dtype=pl.String) for one in (text, reason, trace, completion))).row(0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Here it is:\n\n```python\nprint(1)", "an open code fence"),
        ("1. Dog\n2. Cat\n3.", "a list marker"),
        ("- one\n-", "a list marker"),
        ("First:\n\n## ", "a list marker"),
        ("3.", "a list marker"),
        ("Fruits:\n  b)", "a list marker"),
        ("We need salt, pepper,", "a comma or dash"),
        ("小号的快速吐音，", "a comma or dash"),
        ("and he said –", "a comma or dash"),
        ("It is made of zinc (Zn", "an open bracket or quote"),
        ("他说：“我", "an open bracket or quote"),
        ("The tree takes back the", "a word that ends no sentence"),
        ("1. Bring the water to", "a word that ends no sentence"),
        ("It rains. The sun is away", "a sentence without an end"),
        ("他来了。我们走", "a sentence without an end"),
        ("2. Mix it well. Then bake it", "a sentence without an end"),
    ],
)
def test_texts_that_are_cut_off(text, why):
    assert score_one(text) == (1.0, why, None)
    assert score_one(text, "stop") == (0.0, None, None), "the model says that it was done"


@pytest.mark.parametrize(
    "text",
    [
        "Paris",
        "42",
        "x = 5",
        "The answer is 42.",
        "1. Dog\n2. Cat",
        "- He came. Then he left.",
        "Really?",
        "好的。",
        "巴黎",
        "```\ncode\n```",
        "| a | b |\n| 1 | 2 |",
        "See https://a.org/b",
        'He said "no"',
        "(done)",
        "Nice to meet you :)",
        "Love it. #PuppyLove",
        '"Two friends. One soul." - C. S. Lewis',
        "So it ends... ",
        "Title Of A Poem",
        "I agree. :(",
        "Vitamin C",
        "text\n    indented. code (",
        "a" * 5000 + ".",
        "Ingredients:",
        "x" * 11 + " 3.",
    ],
)
def test_texts_that_may_be_finished(text):
    assert score_one(text) == (0.0, None, None)


def test_a_limit_of_tokens_is_reported_whatever_the_text():
    assert score_one("Done.", "length") == (1.0, "its limit of tokens", None)


def test_nothing_has_no_end():
    assert score_one(None) == (None, None, "no response")
    assert score_one(" \n") == (None, None, "blank response")
    assert score_one("", "length") == (None, None, "blank response")


def test_a_trace_without_an_answer_is_cut_off():
    assert score_one("", trace="Let me see") == (1.0, "its reasoning trace", None)
    assert score_one("", "length", trace="Let me see") == (1.0, "its limit of tokens", None)
    assert score_one("Paris", trace="Let me see") == (0.0, None, None)
    assert score_one("", trace="I call it.", completion='[{"tool_calls": [{}]}]') == (None, None, "blank response")
