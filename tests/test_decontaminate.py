"""Which benchmark row a text matches, and how much of the text stands in it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.decontaminate import decontaminate
from schemas.errors import UserError

TEXTS = st.lists(st.lists(st.sampled_from("abcd"), max_size=7).map(" ".join), max_size=8)


def check(texts, against, **setting):
    return decontaminate(pl.Series(texts, dtype=pl.String), pl.Series(against, dtype=pl.String), **setting).rows()


def test_the_match_is_the_benchmark_row_that_holds_most_of_the_text():
    question = "How many eggs does Janet sell every day at the farmers' market near her home?"
    benchmark = ["unrelated", "Well: " + question.upper(), question, None]
    assert check([question, question + " Explain each of the steps.", "Who are you?"], benchmark) == [
        (1, 1.0), (1, pytest.approx(8 / 13)), (None, None),
    ]  # fmt: skip


def test_the_share_must_reach_match():
    text, other = "a b c d e f g h i j", "a b c d e f g h x y"
    assert check([text], [other], ngram=3, match=0.75) == [(0, 0.75)]
    assert check([text], [other], ngram=3, match=0.76) == [(None, None)]


def test_texts_shorter_than_an_ngram_match_only_when_wholly_equal():
    assert check(["Who, ARE you?", "who are"], ["Tell me who are you now please and then", "who are you"]) == [
        (1, 1.0), (None, None),
    ]  # fmt: skip


def test_chinese_is_compared_by_characters():
    assert check(["小明有三个苹果，他又买了五个。"], ["题目：小明有三个苹果，他又买了五个。一共几个？"]) == [(0, 1.0)]


def test_blank_texts_and_an_empty_benchmark_are_clean():
    assert check([None, "", "?"], ["", None, "?"]) == [(None, None)] * 3
    assert check(["a b c"], []) == [(None, None)]
    assert check([], ["a"]) == []


@settings(deadline=None)
@given(TEXTS, TEXTS, st.integers(1, 3), st.sampled_from([0.01, 0.34, 0.5, 1.0]))
def test_agrees_with_counting_one_by_one(texts, against, ngram, match):
    def grams(text):
        words = text.split()
        words = words + [None] * (ngram - len(words)) if words else []
        return {tuple(words[i : i + ngram]) for i in range(len(words) - ngram + 1)}

    for text, found in zip(texts, check(texts, against, ngram=ngram, match=match), strict=True):
        mine = grams(text)
        shares = [len(mine & grams(other)) / max(len(mine), 1) for other in against]
        top = max(shares, default=0.0)
        assert found == ((shares.index(top), pytest.approx(top)) if top and top >= match else (None, None))


def test_instructions_that_every_benchmark_row_repeats_cost_no_time_and_match_nothing():
    rng = np.random.default_rng(0)
    orders = "please solve this problem step by step and give the final answer in a box"

    def rows(count, words):
        return [f"{orders} {' '.join(f'w{n}' for n in rng.integers(0, 5000, words))}" for _ in range(count)]

    assert {matched for matched, _ in check(rows(2000, 30), rows(2000, 10))} == {None}


@pytest.mark.parametrize("setting", [{"match": 0.0}, {"match": 1.1}, {"ngram": 0}])
def test_settings_out_of_range_are_refused_by_name(setting):
    with pytest.raises(UserError, match=next(iter(setting))):
        check(["a"], ["a"], **setting)
