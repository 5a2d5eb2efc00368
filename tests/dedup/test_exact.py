"""Exact duplicates: what counts as the same, and which row stays."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.dedup.exact import dedup


def copies(texts, **settings):
    return dedup(pl.Series("text", texts, dtype=pl.String), **settings)["duplicate_of"].to_list()


def test_first_of_each_kind_stays():
    result = dedup(pl.Series(["a", "b", "a", "A ", "b"]))
    assert result["duplicate_of"].to_list() == [None, None, 0, 0, 1]
    assert result["similarity"].to_list() == [None, None, 1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("one", "two", "setting"),
    [
        ("Polish it", "polish it", "ignore_case"),
        ("two\n words ", "two words", "ignore_whitespace"),
        ("Hello, world!", "Hello world", "ignore_punctuation"),
        ("ｆｕｌｌ ﬁt", "full fit", "nfkc"),
    ],
)
def test_each_option_decides_its_own_difference(one, two, setting):
    off = dict(ignore_case=False, ignore_whitespace=True, ignore_punctuation=False, nfkc=False)
    off[setting] = False
    assert copies([one, two], **off) == [None, None]
    assert copies([one, two], **{**off, setting: True}) == [None, 0]


def test_blank_texts_and_bare_punctuation_are_nobodys_copies():
    assert copies([None, None, "", "", "  ", " "]) == [None] * 6
    assert copies(["?!", "...", "?!"], ignore_punctuation=True) == [None, None, 0]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(alphabet="aA b.ﬁ", max_size=4)), max_size=12), st.booleans())
def test_laws(texts, punctuation):
    result = copies(texts, ignore_punctuation=punctuation)
    assert len(result) == len(texts)
    kept = [text for text, other in zip(texts, result, strict=True) if other is None]
    assert all(result[other] is None and other < row for row, other in enumerate(result) if other is not None)
    assert copies(kept, ignore_punctuation=punctuation) == [None] * len(kept)
