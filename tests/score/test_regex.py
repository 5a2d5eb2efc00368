"""Whether a response matches a regular expression."""

import polars as pl
import pytest

from curate.score.regex import score
from schemas.errors import UserError


def test_a_pattern_is_looked_for_anywhere_and_null_stays_null():
    texts = pl.Series(["say Gristmill", "GRISTMILL", "", None])
    assert score(texts, texts, pattern="Gristmill").to_list() == [1.0, 0.0, 0.0, None]
    assert score(texts, texts, pattern="(?i)gristmill$").to_list() == [1.0, 1.0, 0.0, None]


@pytest.mark.parametrize(("pattern", "why"), [("(", "unclosed group"), ("(?=x)", "look-around, .* is not supported")])
def test_an_invalid_pattern_is_reported_in_one_line(pattern, why):
    with pytest.raises(UserError, match=f"pattern: expected a Rust regular expression, found .*: {why}") as caught:
        score(pl.Series(["x"]), pl.Series(["x"]), pattern=pattern)
    assert len(str(caught.value).splitlines()) == 1


def test_the_trace_is_searched_only_where_that_is_asked_for():
    answers, texts = pl.Series(["It is 41."]), pl.Series(["<think>42?</think>It is 41."])
    assert score(answers, texts, pattern="42").to_list() == [0.0]
    assert score(answers, texts, pattern="42", reasoning=True).to_list() == [1.0]
