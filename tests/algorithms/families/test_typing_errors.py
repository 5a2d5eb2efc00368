"""Texts that differ in the spelling of a few words are found; other words, numbers and short words are not taken."""

import numpy as np
import polars as pl
import pytest

from curate.algorithms.families.typing_errors import spelling_keys, spelling_pairs, without_crowds

TEXT = "explain in simple words how a refrigerator keeps food cold, and why the back of it gets warm while running"


def found(*texts):
    series = pl.Series(texts)
    left, right = spelling_pairs(series, spelling_keys(series))
    return {frozenset(pair) for pair in zip(left.tolist(), right.tolist(), strict=True)}


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("refrigerator", "refridgerator").replace("running", "runing"),
        TEXT.replace("simple", "simpel"),
        TEXT.replace("words", "word"),
        TEXT.upper().replace("WHILE", "Whille"),
    ],
)
def test_a_typing_error_is_found(other):
    assert found("another text of some words", TEXT, other) == {frozenset((1, 2))}


@pytest.mark.parametrize(
    "other",
    [
        TEXT.replace("cold", "warm"),
        TEXT.replace("refrigerator", "radiator"),
        TEXT.replace("back", "bulk"),
        TEXT + " now",
        TEXT + "#",
        TEXT.replace("food", "foot").replace("cold", "code").replace("gets", "sets"),
    ],
)
def test_another_word_is_none(other):
    assert found(TEXT, other) == set()


def test_numbers_short_words_and_short_texts_are_none():
    towns = [f"Which river flows through town {n}?" for n in range(40)]
    assert found(*towns) == set()
    assert found("say how it is for a cat", "say how it is for a car") == set()
    assert found("rivers", "river") == found("", "", "?") == set()


def test_an_error_is_found_in_each_of_many():
    towns = [f"Which river flows through town {n}?" for n in range(40)]
    wrong = [f"Wich river flows trough town {n}" for n in range(40)]
    assert found(*towns, *wrong) == set(), "two of six words"
    wrong = [f"Which river flows trough town {n}" for n in range(40)]
    assert found(*towns, *wrong) == {frozenset((n, n + 40)) for n in range(40)}


def test_keys_of_crowds_and_of_one_text_are_left_out():
    keys = np.array([0, 3, 3, 3, 4, 5, 5, 0], np.uint64)
    assert without_crowds(keys, 2).tolist() == [0, 0, 0, 0, 0, 5, 5, 0]
    assert without_crowds(keys[:0]).tolist() == []
