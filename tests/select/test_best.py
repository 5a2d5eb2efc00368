"""Picking and pairing candidates by score: who wins, who never does, and that the order of the rows does not matter."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.select import best_of_n, best_vs_random, best_vs_worst
from curate.select.all import select as select_all
from schemas.errors import UserError

NAN, INF = float("nan"), float("inf")
ROWS = st.lists(
    st.tuples(
        st.sampled_from("pqr"),
        st.one_of(st.none(), st.just(NAN), st.sampled_from([0.0, 0.5, 1.0])),
        st.one_of(st.none(), st.sampled_from(["yes", "no", " yes ", ""])),
    ),
    max_size=14,
)
both_rules = pytest.mark.parametrize("rule", [best_vs_worst, best_vs_random])


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


@both_rules
def test_ties_single_candidates_and_missing_scores_make_no_pair(rule):
    rows = [("tie", "a", 0.5, "x"), ("tie", "b", 0.5, "y"), ("one", "c", 0.5, "x"), ("null", "d", None, "x"),
            ("null", "e", NAN, "y"), ("null", "f", INF, "z"), ("null", "g", 1.0, "z")]  # fmt: skip
    assert rule.pair(*columns(rows)).rows() == []
    assert rule.pair(*columns([])).schema == {"chosen_id": pl.String, "rejected_id": pl.String}


@both_rules
def test_a_missing_score_does_not_cost_the_prompt_its_pair(rule):
    rows = [("p", "a", NAN, "x"), ("p", "b", 1.0, "y"), ("p", "c", 0.0, "z"), ("p", "d", None, "w")]
    assert rule.pair(*columns(rows)).rows() == [("b", "c")]


@both_rules
def test_the_gap_must_reach_the_margin(rule):
    rows = [("p", "a", 0.5, "x"), ("p", "b", 1.0, "y")]
    assert rule.pair(*columns(rows), margin=0.5).rows() == [("b", "a")]
    assert rule.pair(*columns(rows), margin=0.51).rows() == []


@both_rules
def test_the_same_text_is_never_both_chosen_and_rejected(rule):
    rows = [("p", "a", 1.0, "Yes."), ("p", "b", 0.0, " Yes.\n"), ("q", "c", 1.0, None), ("q", "d", 0.0, "")]
    assert rule.pair(*columns(rows)).rows() == []
    assert rule.pair(*columns([*rows, ("p", "e", 0.5, "No.")])).rows() == [("a", "e")]


@both_rules
@settings(deadline=None, max_examples=50)
@given(rows=ROWS, random=st.randoms(use_true_random=False), margin=st.sampled_from([0.0, 0.5, 1.0]))
def test_every_pair_is_sound_and_the_order_of_rows_does_not_matter(rule, rows, random, margin):
    rows = numbered(rows)
    pairs = rule.pair(*columns(rows), margin=margin)
    of = {row[1]: row for row in rows}
    for chosen, rejected in pairs.iter_rows():
        (prompt, _, high, yes), (same, _, low, no) = of[chosen], of[rejected]
        assert prompt == same and high - low >= margin and high > low
        assert (yes or "").strip() != (no or "").strip()
        assert not any(row[0] == prompt and row[2] is not None and row[2] > high for row in rows)
    assert pairs["chosen_id"].n_unique() == pairs.height
    random.shuffle(rows)
    assert pairs.equals(rule.pair(*columns(rows), margin=margin))


def test_best_vs_worst_takes_the_worst_and_of_equals_the_lower_id():
    scores = {"d": 0.0, "a": 0.5, "b": 1.0, "c": 0.0, "0": 1.0}
    rows = [("p", name, value, f"text {name}") for name, value in scores.items()]
    assert best_vs_worst.pair(*columns(rows)).rows() == [("0", "c")]


def test_best_vs_random_gives_every_worse_one_its_turn():
    rows = [("p", f"c{n}", float(n), f"text {n}") for n in range(5)]
    drawn = [best_vs_random.pair(*columns(rows), seed=seed).row(0) for seed in range(60)]
    assert {chosen for chosen, _ in drawn} == {"c4"}
    assert {rejected for _, rejected in drawn} == {"c0", "c1", "c2", "c3"}
