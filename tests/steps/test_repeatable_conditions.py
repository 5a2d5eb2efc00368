"""Conditions whose value changes from run to run are refused; those over the row's own columns are not."""

import polars as pl
import pytest

from curate.steps.sql_conditions import check, holds
from schemas.errors import UserError

ROWS = pl.DataFrame({"prompt": ["random() now()", "b"], "n": [1, 2]})


@pytest.mark.parametrize(
    "condition", ["random() < 0.5", "n > 1 AND RANDOM() < 1", "uuid() > 'a'", "now() > '2020-01-01'"]
)
def test_a_condition_that_changes_is_refused(condition):
    with pytest.raises(UserError, match=r"r.yaml:7: \w+\(\) gives another value in each run"):
        check(condition, dict(ROWS.schema), "r.yaml:7")


@pytest.mark.parametrize("condition", ["prompt LIKE '%random() now()%'", "length(prompt) > 2 -- random()"])
def test_the_name_in_a_text_or_a_comment_is_none(condition):
    assert holds(ROWS, condition, "r.yaml:7").to_list() == [True, False]
