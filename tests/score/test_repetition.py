"""The share of repeated n-grams."""

import polars as pl
import pytest

from curate.score.repetition import score
from schemas.errors import UserError


def test_share_of_ngrams_seen_before():
    texts = pl.Series(["a b c d e", "a b c a b c", "go " * 100, "Go, go! GO.", "hi", "", None])
    loop = 97 / 98
    assert score(texts).to_list() == pytest.approx([0.0, 0.25, loop, 0.0, 0.0, 0.0, None])
    assert score(texts, ngram=1).to_list() == pytest.approx([0.0, 0.5, 0.99, 2 / 3, 0.0, 0.0, None])


def test_rows_do_not_mix_however_many_there_are():
    texts = pl.Series(["a b c a b c", "x y z"] * 3000)
    assert score(texts).to_list() == [0.25, 0.0] * 3000


def test_ngram_below_one_is_refused():
    with pytest.raises(UserError, match="ngram must be at least 1, found 0"):
        score(pl.Series(["a"]), ngram=0)


def test_long_words_are_told_apart_by_all_their_characters():
    alike = [f"internationalisation{number:02}" for number in range(40)]  # the first 20 bytes are the same
    texts = pl.Series([" ".join(alike), " ".join([*alike, *alike]), "internationally internationalist " * 8])
    assert score(texts, ngram=1).to_list() == pytest.approx([0.0, 0.5, 14 / 16])
