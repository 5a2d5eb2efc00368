"""New candidates by replacing text."""

import polars as pl
import pytest

from curate.generate.replace import write
from schemas.errors import UserError


def test_each_match_is_replaced_and_no_change_is_no_candidate():
    texts = pl.Series("response", ["I am Qwen, made by QWEN.", "Hello.", None, "", "I am Grist."])
    assert write(texts, find="(?i)qwen|grist", put="Grist").to_list() == [
        "I am Grist, made by Grist.",
        None,
        None,
        None,
        None,
    ]


def test_groups_are_put_back_by_number_or_name():
    new = write(pl.Series(["by Li Wei."]), find=r"by (?<who>\w+) (\w+)", put="of $2, ${who}")
    assert new.to_list() == ["of Wei, Li."]


def test_a_pattern_that_backtracks_elsewhere_takes_no_time():
    assert write(pl.Series(["a" * 100_000 + "b"]), find="(a+)+$", put="x").to_list() == [None]


def test_a_broken_pattern_is_named():
    with pytest.raises(UserError, match=r"find: '\(' is not a regular expression"):
        write(pl.Series(["a"]), find="(", put="")


def test_no_rows():
    assert write(pl.Series([], dtype=pl.String), find="a", put="b").to_list() == []
