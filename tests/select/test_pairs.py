"""The pairs that each rule proposes, their order, and that the order of the rows does not matter."""

import math
import statistics
from itertools import groupby
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import curate.select.best_vs_random as best_vs_random
import curate.select.best_vs_worst as best_vs_worst
import curate.select.margin as margin
import curate.select.mu_minus_2sigma as mu_minus_2sigma
import curate.select.own_vs_teacher as own_vs_teacher
import curate.select.ranked as ranked
from schemas.errors import UserError
from tests.select.candidates import columns, numbered

NAN, INF = float("nan"), float("inf")
SCORED = {
    "best_vs_worst": best_vs_worst,
    "best_vs_random": best_vs_random,
    "margin": margin,
    "mu_minus_2sigma": mu_minus_2sigma,
    "ranked": ranked,
}
FROM_THE_BEST = [name for name in SCORED if name != "ranked"]
SCORES = st.one_of(st.none(), st.just(NAN), st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]))
ROWS = st.lists(st.tuples(st.sampled_from("pqr"), SCORES), max_size=14)


def proposed(rule, rows, **setting):
    return SCORED[rule].pair(*columns(rows), **setting).select("chosen_id", "rejected_id").rows()


def first(rule, rows, **setting):
    """The pair that is made where nothing is refused: the first of each slot."""
    made = SCORED[rule].pair(*columns(rows), **setting)
    return made.unique("slot", keep="first", maintain_order=True).select("chosen_id", "rejected_id").rows()


@pytest.mark.parametrize("rule", SCORED)
def test_ties_single_candidates_and_missing_scores_make_no_pair(rule):
    rows = [
        ("tie", "a", 0.5),
        ("tie", "b", 0.5),
        ("one", "c", 0.5),
        ("null", "d", None),
        ("null", "e", NAN),
        ("null", "f", INF),
        ("null", "g", 1.0),
    ]
    assert proposed(rule, rows) == []
    assert dict(SCORED[rule].pair(*columns([])).schema).items() >= {"chosen_id": pl.String}.items()


@pytest.mark.parametrize("rule", SCORED)
def test_a_missing_score_does_not_cost_the_prompt_its_pair(rule):
    assert proposed(rule, [("p", "a", NAN), ("p", "b", 1.0), ("p", "c", 0.0), ("p", "d", None)]) == [("b", "c")]


@pytest.mark.parametrize("rule", [name for name in SCORED if name != "margin"])
def test_the_gap_must_reach_the_margin(rule):
    rows = [("p", "a", 0.5), ("p", "b", 1.0)]
    assert proposed(rule, rows, margin=0.5) == [("b", "a")]
    assert proposed(rule, rows, margin=0.51) == []


@pytest.mark.parametrize("rule", SCORED)
@settings(deadline=None, max_examples=40)
@given(rows=ROWS, random=st.randoms(use_true_random=False))
def test_every_pair_is_sound_and_row_order_does_not_matter(rule, rows, random):
    rows = numbered(rows)
    pairs = proposed(rule, rows)
    of = {row[1]: row for row in rows}
    for chosen, rejected in pairs:
        (prompt, _, high), (other, _, low) = of[chosen], of[rejected]
        assert prompt == other and high > low
        if rule in FROM_THE_BEST:
            assert not any(row[0] == prompt and row[2] is not None and row[2] > high for row in rows)
    assert len(set(pairs)) == len(pairs)
    random.shuffle(rows)
    assert sorted(proposed(rule, rows)) == sorted(pairs)
    if rule in FROM_THE_BEST:
        again = {pair[0]: [r for c, r in proposed(rule, rows) if c == pair[0]] for pair in pairs}
        assert again == {c: [r for d, r in pairs if d == c] for c in again}


def test_best_vs_worst_proposes_the_worst_then_the_lower_id():
    scores = {"d": 0.0, "a": 0.5, "b": 1.0, "c": 0.0, "0": 1.0}
    rows = [("p", name, value) for name, value in scores.items()]
    assert proposed("best_vs_worst", rows) == [("0", "c"), ("0", "d"), ("0", "a")]


def test_best_vs_random_draws_each_worse_one_about_as_often():
    rows = [(f"p{prompt}", f"c{n} of {prompt}", float(n)) for prompt in range(20) for n in range(5)]
    drawn = [pair for seed in range(20) for pair in first("best_vs_random", rows, seed=seed)]
    assert len(drawn) == 400 and {chosen[:2] for chosen, _ in drawn} == {"c4"}
    counts = [sum(rejected.startswith(f"c{n}") for _, rejected in drawn) for n in range(4)]
    assert all(60 < count < 140 for count in counts), counts


def test_margin_takes_the_widest_gap_inside_the_band():
    rows = [("p", name, value) for name, value in {"a": 1.0, "b": 0.9, "c": 0.7, "d": 0.6, "e": 0.0}.items()]
    assert proposed("margin", rows, low=0.2, high=0.5) == [("a", "d"), ("a", "c")]
    assert proposed("margin", rows, low=0.45, high=0.8) == []
    assert proposed("margin", rows, low=0.5) == [("a", "e")]


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, low=st.sampled_from([0.0, 0.2, 0.3]), high=st.sampled_from([0.3, 0.5, 1.0]))
def test_the_band_holds_and_nothing_inside_it_is_missed(rows, low, high):
    rows = numbered(rows)
    of = {row[1]: row[2] for row in rows}
    pairs = proposed("margin", rows, low=low, high=high)
    assert all(0 < of[c] - of[r] <= high and of[c] - of[r] >= low for c, r in pairs)
    for _, group in groupby(sorted(r for r in rows if r[2] is not None and math.isfinite(r[2])), key=lambda r: r[0]):
        values = [row[2] for row in group]
        inside = [v for v in values if v < max(values) and low <= max(values) - v <= high]
        prompt = [pair for pair in pairs if of[pair[0]] == max(values) and of[pair[1]] in inside]
        assert len(prompt) >= len(inside)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.2), (-0.1, None), (0.0, 0.0)])
def test_an_empty_band_is_refused(low, high):
    with pytest.raises(UserError, match="0 <= low <= high"):
        proposed("margin", [], low=low, high=high)


def test_mu_minus_2sigma_rejects_near_the_point_not_the_outlier():
    values = [0.50, 0.52, 0.48, 0.51, 0.49, 0.53, 0.47, 0.50, 0.51, 0.49, 0.44, 0.52, 0.48, 0.50, 0.30, 0.60]
    rows = [("p", f"c{n:02}", value) for n, value in enumerate(values)]
    point = statistics.mean(values) - 2 * statistics.pstdev(values)
    ((chosen, rejected),) = first("mu_minus_2sigma", rows)
    assert chosen == "c15" and rejected == "c10" and 0.3 < point < 0.44
    assert first("mu_minus_2sigma", rows, sigmas=20.0) == first("best_vs_worst", rows) == [("c15", "c14")]


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.5, 0.75, 1.0]), min_size=2, max_size=12))
def test_mu_minus_2sigma_orders_by_the_distance_to_the_point(values):
    rows = [("p", f"c{n:02}", value) for n, value in enumerate(values)]
    point = statistics.mean(values) - 2 * statistics.pstdev(values)
    away = [abs(values[int(r[1:])] - point) for _, r in proposed("mu_minus_2sigma", rows)]
    assert len(away) == sum(v < max(values) for v in values)
    assert all(a <= b + 1e-12 for a, b in zip(away, away[1:], strict=False))


def test_ranked_pairs_every_score_with_the_next_lower_one():
    rows = [("p", "a", 0.5), ("p", "b", 1.0), ("p", "c", 0.5), ("p", "d", 0.0), ("q", "e", 1.0), ("q", "f", 0.9)]
    assert proposed("ranked", rows) == [("b", "a"), ("a", "d"), ("e", "f")]
    assert proposed("ranked", rows, margin=0.2) == [("b", "a"), ("a", "d")]
    assert "slot" not in ranked.pair(*columns(rows)).columns


def own(rows, **setting):
    table = pl.DataFrame(rows, schema={"p": pl.String, "c": pl.String, "m": pl.String, "s": pl.Float64}, orient="row")
    options: dict[str, Any] = {"teacher": "big", "student": "small"} | setting
    return own_vs_teacher.pair(table["p"], table["c"], table["m"], table["s"], **options).rows()


TWO = [
    ("p", "a", "big", 0.9),
    ("p", "b", "small", 0.5),
    ("p", "c", "big", 0.1),
    ("p", "d", "small", 0.3),
    ("p", "e", "small", None),
    ("p", "f", None, 1.0),
    ("p", "g", "other", 1.0),
    ("q", "h", "big", 1.0),
]


def test_the_teachers_answer_is_chosen_and_each_used_once():
    pairs = own(TWO)
    assert [chosen for chosen, _ in pairs] == ["a", "c"]
    assert len({rejected for _, rejected in pairs}) == 2 and {rejected for _, rejected in pairs} <= {"b", "d", "e"}
    assert {tuple(own(TWO, seed=seed)) for seed in range(20)} != {tuple(pairs)}
    assert sorted(own(TWO[::-1])) == sorted(pairs)


def test_a_margin_needs_a_score_on_both_sides():
    for seed in range(20):
        scores = {c: s for _, c, _, s in TWO if s is not None}
        assert all(scores[c] >= scores[r] for c, r in own(TWO, margin=0.0, seed=seed))
    assert own(TWO[:2], margin=0.4) == [("a", "b")] and own(TWO[:2], margin=0.5) == []


def test_no_score_is_needed_and_a_teacher_of_itself_is_refused():
    table = pl.DataFrame([("p", "a", "big"), ("p", "b", "small")], schema=["p", "c", "m"], orient="row")
    pairs = own_vs_teacher.pair(table["p"], table["c"], table["m"], teacher="big", student="small")
    assert pairs.rows() == [("a", "b")]
    with pytest.raises(UserError, match="the same model, 'x'"):
        own([], teacher="x", student="x")
