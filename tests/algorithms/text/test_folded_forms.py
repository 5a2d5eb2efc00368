"""Which characters are folded into another, and that none of them changes a value."""

import unicodedata

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate.algorithms.text.folded_forms import fold_forms, folded_forms


def folded(*texts):
    return fold_forms(pl.Series(texts, dtype=pl.String)).to_list()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("ＦＵＬＬ　ｗｉｄｔｈ：５＋３", "FULL width:5+3"),
        ("ｶﾞｷﾞ", "ガギ"),
        ("ﬁve ﬂats ĳ", "five flats ij"),
        ("a\u00a0b\u2009c", "a b c"),
        ("“it’s” ‘so’ 5′", "\"it's\" 'so' 5'"),
        ("3 − 2, 1–3, co‑op", "3 - 2, 1-3, co-op"),
        ("e\u0301t", "ét"),
        ("5 µm, 20 ℃, …", "5 μm, 20 °C, ..."),
    ],
)
def test_other_ways_to_write_the_same(text, form):
    assert folded(text) == [form]


@pytest.mark.parametrize("text", list("x²₂½①⑴⒈Ⅷ㎡ℝ𝐱ϕªﾠ㏠㋀¨") + ["10⁻³", "H₂O", "🙂", "plain", "—", "𑄪"])
def test_what_changes_a_value_is_kept(text):
    assert folded(text) == [text]


def test_null_and_ascii_stay():
    assert folded(None, "a - b", "é") == [None, "a - b", "é"]


@given(st.text())
def test_folding_twice_is_folding_once_and_keeps_numbers(text):
    (once,) = folded(text)
    assert folded(once) == [once]

    def values(some):
        return [unicodedata.numeric(letter) for letter in some if unicodedata.numeric(letter, None) is not None]

    assert values(once) == values(unicodedata.normalize("NFC", text))


def test_forms_need_no_folding():
    assert folded(*folded_forms().values()) == [unicodedata.normalize("NFC", form) for form in folded_forms().values()]
