"""Verdicts that are text: which words, signs and grades are read, what is left out, and when figures are refused."""

import polars as pl
import pytest

from curate.api.verdict_words import read_verdicts
from schemas.errors import UserError


def read(*texts):
    values, notes, may_turn = read_verdicts(pl.Series("verdict", texts, dtype=pl.String), "human")
    return values.to_list(), notes, may_turn


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("correct", "wrong"), ("Right", "Wrong"), ("right.", "incorrect"), ("positive", "negative"),
        ("like", "dislike"), ("Liked", "Disliked"), ("thumbs up", "Thumbs-Down"), ("👍", "👎"), ("✅", "❌"),
        ("**Pass**", "fail!"), ("win", "loss"), ("Valid", "Invalid"), ("accept", "reject"), ("true", "False"),
        ("Y", "N"), ("accurate", "inaccurate"), ("success", "failure"), ("upvoted", "downvoted"), ("yes", "no"),
        ("1", "0"), ("helpful", "unhelpful"), ("acceptable", "unacceptable"), ('"correct"', "`wrong`"),
    ],
)  # fmt: skip
def test_words_and_signs_of_good_and_bad(good, bad):
    assert read(good, bad, good)[:2] == ([1, 0, 1], [])


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (("90%", "5 %"), [0.9, 0.05]),
        (("4/5", "2 / 5", "5"), [4, 2, 5]),
        (("4/5", "6/10"), [0.8, 0.6]),
        (("4 out of 5", "3 of 5"), [4, 3]),
        (("4 stars", "1 star", "2.5 Stars", "3/5 stars"), [4, 1, 2.5, 3]),
        (("★★★★☆", "★☆☆☆☆", "⭐⭐"), [4, 1, 2]),
        (("8 points", "-1 point"), [8, -1]),
        (("1e-3", "-2.5"), [0.001, -2.5]),
    ],
)
def test_shares_and_grades_are_numbers(texts, values):
    assert read(*texts)[:2] == (values, [])


def test_what_is_no_verdict_is_left_out_and_said():
    values, notes, _ = read("1", "0", "n/a", "Unsure", "", "none")
    assert values == [1, 0, None, None, None, None]
    assert notes == ["4 verdicts are left out, such as 'n/a', which is no verdict"]
    values, notes, _ = read(*["correct"] * 6, *["wrong"] * 6, "hm")
    assert values[-1] is None and notes == ["1 verdict is left out, such as 'hm', which is no number"]


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["correct"] * 15 + ["falsch"] * 15, "human has 15 of 30 values that can't be read as verdicts"),
        (["correct"] * 29 + ["falsch"], "human has 1 of 30 values"),
        (["right"] * 5 + ["left"] * 5, "such as 'left'"),
        (["correct"] * 5 + ["wrong"] * 5 + ["partly"] * 3, "human has 3 of 13 values"),
        (["1", "2", "3", "inf"], "human has 1 of 4 values"),
        (["4/5", "3/0"], "human has 1 of 2 values"),
        (["rather", "hardly"], "human has 'hardly', which is no verdict; expected numbers, true or false, or words"),
    ],
)  # fmt: skip
def test_figures_without_many_or_all_of_a_kind_are_refused(texts, words):
    with pytest.raises(UserError) as caught:
        read(*texts)
    assert words in str(caught.value)


def test_words_that_say_themselves_what_is_good_are_not_turned():
    assert read("yes", "no")[2] and read("1", "0")[2] and read("positive", "negative")[2]
    assert not read("pass", "fail")[2] and not read("correct", "wrong")[2]
