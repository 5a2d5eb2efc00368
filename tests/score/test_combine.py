import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.score.combine import score
from schemas.errors import UserError

ROWS = pl.DataFrame(
    {
        "math": [1.0, 0.0, 1.0, None],
        "quality": [5.0, 10.0, 0.0, 3.0],
        "length": [100.0, 200.0, 0.0, 50.0],
        "response": ["a" * 100, "b" * 200, "", "c" * 50],
    }
)
SQL = "0.7 * math + 0.3 * (quality / 10) - 0.001 * length"


def test_it_is_the_expression():
    found = score(ROWS, sql=SQL)
    assert found["value"].round(6).to_list() == [0.75, 0.1, 0.7, None]
    assert found["error"].to_list() == [None, None, None, "no math"]


def test_sql_is_sql_and_a_null_may_be_given_a_value():
    found = score(ROWS, sql="CASE WHEN coalesce(math, 0) = 1 THEN quality ELSE -1 END")
    assert found["value"].to_list() == [5.0, -1.0, 0.0, -1.0] and found["error"].null_count() == 4
    assert score(ROWS, sql="math = 1")["value"].to_list() == [1.0, 0.0, 1.0, None]


@pytest.mark.parametrize("sql", ["quality / length", "ln(length - 100)", "sqrt(length - 150)", "1e308 * quality ** 2"])
def test_what_is_no_number_is_null_with_an_error(sql):
    try:
        found = score(ROWS, sql=sql)
    except UserError as error:  # DuckDB refuses some of them outright
        assert "sql: " in str(error) and "\n" not in str(error)
        return
    assert found["value"].drop_nulls().is_finite().all()
    assert (found["value"].is_null() == found["error"].is_not_null()).all()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("math +", ["syntax error", "math +"]),
        ("math + mth", ["mth"]),
        ("response", ["a number"]),
        ("sum(math)", ["sum"]),
        ("(SELECT count(*) FROM read_csv('/etc/passwd')) + math", ["disabled"]),
    ],
)
def test_an_expression_that_is_not_valid_is_refused_in_one_line(sql, words):
    with pytest.raises(UserError) as caught:
        score(ROWS, sql=sql)
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words), caught.value


def test_scores_on_one_scale():
    found = score(ROWS.drop_nulls(), sql="math + quality", zscore=["quality"])["value"]
    quality = ROWS.drop_nulls()["quality"]
    expected = ROWS.drop_nulls()["math"] + (quality - quality.mean()) / quality.std()
    assert found.round(9).equals(expected.round(9))
    assert score(ROWS, sql="quality", zscore=True)["value"].mean() == pytest.approx(0)
    assert score(ROWS, sql="quality", zscore=True)["value"].std() == pytest.approx(1)
    same = ROWS.with_columns(math=pl.lit(1.0))
    assert score(same, sql="math + 2", zscore=True)["value"].to_list() == [2.0] * 4
    with pytest.raises(UserError, match="did you mean 'math'"):
        score(ROWS, sql=SQL, zscore=["mth"])


def test_the_effect_of_length_is_removed_and_reported():
    rows = pl.DataFrame({"s": [1.0, 2.0, 3.0, 4.5], "response": ["a" * n for n in (10, 20, 30, 40)]})
    found = score(rows, sql="s", debias="response")
    assert abs(np.corrcoef(range(4), found["value"])[0, 1]) < 1e-9
    assert found["value"].mean() == pytest.approx(rows["s"].mean())
    assert "slope +0.115" in found["note"][0] and "characters" in found["note"][0] and "98." in found["note"][0]
    assert json.loads(found["detail"][3]) == {"before": 4.5, "length": 40.0}


def test_a_column_debiases_and_what_it_cannot_fit_is_unchanged():
    rows = pl.DataFrame({"s": [1.0, 2.0, 3.0, 4.0], "words": [1.0, 2.0, 3.0, None]})
    found = score(rows, sql="s", debias="words")
    assert found["value"].round(9).to_list() == [2.0, 2.0, 2.0, None] and found["error"][3] == "no words"
    assert score(rows.head(2), sql="s", debias="words")["value"].to_list() == [1.0, 2.0], "two points fit any line"
    same = rows.with_columns(words=pl.lit(7.0))
    assert score(same, sql="s", debias="words")["value"].to_list() == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(UserError, match="no column .to debias by. called 'wrds'"):
        score(rows, sql="s", debias="wrds")


@settings(deadline=None)
@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 500)), min_size=3, max_size=30))
def test_after_debiasing_nothing_is_left_for_length_to_explain(pairs):
    rows = pl.DataFrame({"s": [p[0] for p in pairs], "n": [float(p[1]) for p in pairs]})
    found = score(rows, sql="s", debias="n")["value"]
    assert found.mean() == pytest.approx(rows["s"].mean(), abs=1e-6)
    covariance = pl.DataFrame({"v": found, "n": rows["n"]}).select(pl.cov("v", "n")).item()
    assert covariance == pytest.approx(0, abs=1e-3 * max(1.0, float(np.var(rows["n"].to_numpy(), ddof=1))))
