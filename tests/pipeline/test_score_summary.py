"""The summary of parts is that of the whole."""

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from curate.pipeline import score_summary
from curate.pipeline.score_summary import ScoreSummary, summary_of

ROW = st.tuples(st.none() | st.integers(0, 9), st.sampled_from(["a", "b", "c"]), st.none() | st.sampled_from("xyz"))


def scored(rows):
    values = [(None if value is None else float(value), None if value is not None else e, n) for value, e, n in rows]
    kinds = {"value": pl.Float64, "error": pl.String, "note": pl.String}
    return pl.DataFrame(values, kinds, orient="row")


@given(st.lists(ROW, max_size=20), st.integers(1, 7))
def test_parts_add_up_to_the_whole(rows, size):
    total = ScoreSummary()
    for low in range(0, len(rows), size):
        total.add(summary_of(scored(rows[low : low + size])))
    whole = summary_of(scored(rows))
    assert total == whole and total.line() == whole.line() and total.warnings == whole.warnings


def test_many_errors_are_counted_together(monkeypatch):
    monkeypatch.setattr(score_summary, "DISTINCT", 2)
    total = ScoreSummary()
    for errors in ("ab", "bc", "cd"):
        total.add(summary_of(scored([(None, error, None) for error in errors])))
    assert total.errors == {"a": 1, "b": 2, score_summary.OTHERS: 3}
    assert total.warnings == ["every score is null: 2: b; 1: a; 3: other reasons"]


def test_no_rows_are_no_warning():
    assert ScoreSummary().line() == "0 scored" and ScoreSummary().warnings == []
