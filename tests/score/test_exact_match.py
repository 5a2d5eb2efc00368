"""Exact match after normalisation."""

import polars as pl

from curate.score.exact_match import score


def match(response, truth, **settings):
    return score(pl.Series([response], dtype=pl.String), pl.Series([truth], dtype=pl.String), **settings).row(0)


def test_case_space_and_punctuation_matter_only_where_asked():
    assert match(" paris.\n", "Paris") == (1.0, None)
    assert match("paris", "Paris", ignore_case=False) == (0.0, None)
    assert match("Paris.", "Paris", ignore_punctuation=False) == (0.0, None)
    assert match("Paris, France", "Paris") == (0.0, None)


def test_punctuation_alone_is_still_something():
    assert match("!", "?") == (0.0, None)
    assert match("?", "?") == (1.0, None)


def test_what_is_missing_is_null_with_its_reason_never_zero():
    assert match("Paris", None) == (None, "no ground_truth")
    assert match("Paris", " ") == (None, "no ground_truth")
    assert match(None, "Paris") == (None, "no response")
