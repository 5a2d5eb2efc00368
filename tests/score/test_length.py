"""Length in three units."""

import polars as pl
import pytest

from curate.score.length import score
from schemas.errors import UserError


def lengths(texts, tokens=None, **settings):
    counts = pl.Series("completion_tokens", tokens or [None] * len(texts), dtype=pl.Int64)
    return score(pl.Series("response", texts, dtype=pl.String), counts, **settings).rows()


def test_words_are_the_default_and_characters_without_spaces():
    assert lengths(["two  words\n", "", "你好 world", None]) == [
        (2.0, None),
        (0.0, None),
        (3.0, None),
        (None, "no response"),
    ]


def test_characters_are_code_points():
    assert lengths(["héllo 你"], unit="characters") == [(7.0, None)]


def test_tokens_are_the_models_own_count_or_none():
    assert lengths(["a", "b"], [5, None], unit="tokens") == [(5.0, None), (None, "no token count")]


def test_another_unit_names_the_nearest():
    with pytest.raises(UserError, match="no unit 'word'; did you mean 'words'"):
        lengths(["a"], unit="word")
