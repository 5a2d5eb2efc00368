"""The best of each prompt: who wins, who never does, and that the order of the rows does not matter."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.best_of_n as best_of_n
from curate.select.all import select as select_all
from schemas.errors import UserError

NAN = float("nan")
ROWS = st.lists(
    st.tuples(
        st.sampled_from("pqr"),
        st.one_of(st.none(), st.just(NAN), st.sampled_from([0.0, 0.5, 1.0])),
        st.one_of(st.none(), st.sampled_from(["yes", "no", " yes ", ""])),
    ),
    max_size=14,
)


def columns(rows):
    """Columns of (prompt, id, score, response) rows."""
    table = pl.DataFrame(rows, schema={"p": pl.String, "c": pl.String, "s": pl.Float64, "r": pl.String}, orient="row")
    return table["p"], table["c"], table["s"], table["r"]


def numbered(rows):
    return [(prompt, f"c{number:02}", score, text) for number, (prompt, score, text) in enumerate(rows)]


def best(rows, **setting):
    return best_of_n.select(*columns(rows)[:3], **setting)


def test_best_of_n_keeps_the_best_and_says_what_beat_the_others():
    rows = [("p", "a", 0.1, ""), ("p", "b", 0.9, ""), ("q", "c", 0.2, ""), ("p", "d", None, ""), ("p", "e", 0.9, "")]
    assert best(rows).rows() == [
        (False, "lower score", "b"),
        (True, None, None),
        (True, None, None),
        (False, "no score", "b"),
        (False, "equal score, later id", "b"),
    ]
    assert best(rows, n=2)["kept"].to_list() == [False, True, True, False, True]
    assert best(rows, n=2)["evidence"].to_list() == ["e", None, None, "e", None]


def test_best_of_n_never_takes_a_candidate_without_a_score():
    result = best([("p", "a", None, ""), ("p", "b", NAN, ""), ("q", "c", NAN, ""), ("q", "d", -3.0, "")], n=2)
    assert result["kept"].to_list() == [False, False, False, True]
    assert result["evidence"].to_list() == [None, None, "d", None]


def test_best_of_n_needs_an_n():
    with pytest.raises(UserError, match="at least 1, found 0"):
        best([], n=0)


def test_all_keeps_everyone_with_or_without_a_prompt():
    result = select_all(pl.Series(["p", None, "q"]), pl.Series(["a", "b", "c"]))
    assert result.rows() == [(True, None, None)] * 3
    assert select_all(pl.Series([], dtype=pl.String), pl.Series([], dtype=pl.String)).height == 0


@settings(deadline=None)
@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 3))
def test_best_of_n_does_not_depend_on_the_order_of_rows(rows, random, n):
    rows = numbered(rows)
    kept = {row[1] for row, keep in zip(rows, best(rows, n=n)["kept"], strict=True) if keep}
    for prompt in "pqr":
        scores = sorted(row[2] for row in rows if row[0] == prompt and row[2] == row[2] and row[2] is not None)
        winners = sorted(row[2] for row in rows if row[0] == prompt and row[1] in kept)
        assert winners == scores[::-1][:n][::-1]
    random.shuffle(rows)
    assert kept == {row[1] for row, keep in zip(rows, best(rows, n=n)["kept"], strict=True) if keep}
