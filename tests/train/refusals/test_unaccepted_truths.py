"""Ground truths that their own verifier does not accept: those rows are left out, and many refuse the training."""

import json

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.refusals.test_constant_reward import recipe
from tests.train.tables import rl_rows
from train.answer_scorers import answer_scorers
from train.refusals.out_of_time import out_of_time
from train.refusals.unaccepted_truths import FATE, Unaccepted, unaccepted_truths

UNREADABLE, NONE = r"\frac{1}{", None


def looked(truths: list[str | None], rewards: list[str]) -> Unaccepted:
    rows = rl_rows(len(truths)).with_columns(ground_truth=pl.Series(truths, dtype=pl.String))
    return unaccepted_truths(rows, answer_scorers(recipe(rewards), rewards, "here"), 0)


def test_a_row_whose_truth_is_not_accepted_is_left_out_with_why():
    found = looked(["1", UNREADABLE, "3", "4"], ["math"])
    assert found.fates.rows() == [("r_1", FATE)]
    assert found.text().startswith("1 of 4 ground truths (25%) is not accepted by its own verifier (row r_1: can't be")
    assert found.refusal() is None


def test_more_than_half_refuse_the_training():
    refusal = looked([UNREADABLE, UNREADABLE, "3"], ["math"]).refusal()
    assert refusal is not None and refusal.name == "unaccepted_truths" and "2 of 3 ground truths (67%)" in refusal.text
    assert looked([UNREADABLE, "2"], ["math"]).refusal() is None


def test_a_row_without_a_truth_is_not_judged():
    found = looked(["1", NONE, " "], ["math"])
    assert (found.judged, found.without, found.rows.height) == (1, 2, 0)
    nothing = looked([NONE], ["length"])  # no verifier
    assert nothing.rows.is_empty() and nothing[1:] == (0, 0, 0, {}, ()) and nothing.text() == ""


def test_one_verifier_that_accepts_a_truth_is_enough():
    assert looked([UNREADABLE, "2"], ["math", "exact_match"]).rows.is_empty()
    assert looked([UNREADABLE, "2"], ["exact_match", "math"]).rows.is_empty()


SCHEMA, BROKEN = '{"type": "object"}', '{"type": "objekt"}'


@pytest.mark.parametrize("rewards", [["math", "json_schema"], ["json_schema", "math"]])
def test_a_verifier_of_another_kind_leaves_no_truth_to_math(rewards: list[str]):
    found = looked(["1", r"\frac{1}{2}", "x + 1", "[1, 2]", "Monday", SCHEMA, BROKEN, "no schema, sorry"], rewards)
    assert found.rows["row_id"].to_list() == ["r_6", "r_7"] and found.judged == 7  # the schema has no reference
    assert all(why.startswith("can't be judged: ground_truth is no JSON Schema") for why in found.rows["why"])


def test_a_truth_that_only_its_own_spelling_equals_is_lost():
    found = looked(["1", "Monday", "p - q", "TODO", '["assert f(1) == 2"]', "x = 3,"], ["math"])
    assert found.rows.rows() == [
        ("r_3", "passes, but ground_truth stands for no answer"),
        ("r_4", "passes, but only the same spelling does: ground_truth is written in a way that is not understood"),
    ]


@pytest.mark.slow  # the sandbox
def test_a_program_that_fails_is_not_left_to_math():
    metadata = json.dumps({"code": "def f(x):\n    return x - 1"})
    rows = rl_rows(4).with_columns(
        ground_truth=pl.Series([json.dumps(["assert f(1) == 2"])] * 3 + ["3"]), metadata=pl.lit(metadata)
    )
    for rewards in (["math", "code"], ["code", "math"]):
        found = unaccepted_truths(rows, answer_scorers(recipe(rewards), rewards, "here"), 0)
        assert found.rows.rows() == [(f"r_{n}", "its reference scores 0") for n in range(3)] and found.judged == 4


@pytest.mark.slow  # the sandbox
def test_programs_are_sampled_and_their_fate_is_by_their_tests():
    programs = [{"code": f"def f(x):\n    return x + {n % 2}"} for n in range(4)]
    rows = rl_rows(4).with_columns(
        ground_truth=pl.lit("assert f(1) == 2"), metadata=pl.Series([json.dumps(one) for one in programs])
    )
    found = unaccepted_truths(rows, answer_scorers(recipe(["code"]), ["code"], "here"), 0)
    assert found.fates.rows() == [("r_0", FATE), ("r_2", FATE)] and found.judged == 4
    assert found.rows["why"].to_list() == ["its reference scores 0"] * 2


def test_a_program_that_ran_out_of_time_is_not_judged():
    late, wrong = "took more than 6 s (computing)", "AssertionError"
    assert out_of_time(None, json.dumps({"passed": 1, "tests": 2, "failed": {"1": late}}))
    assert out_of_time("the machine was too busy: the program waited for a processor for 40.0 s of 60", None)
    for failed in ({"1": late, "2": wrong}, {}, None, wrong):
        assert not out_of_time(None, json.dumps({"passed": 0, "failed": failed}))
    assert not out_of_time(None, None) and not out_of_time(None, "[1/2") and not out_of_time("no test was run", "[]")


@pytest.mark.slow  # the sandbox
def test_rows_whose_program_is_late_are_not_left_out():
    programs = ["def f(x):\n    while True:\n        pass", "def f(x):\n    return x", "def f(x):\n    return x + 1"]
    rows = rl_rows(3).with_columns(
        ground_truth=pl.lit("assert f(1) == 2"), metadata=pl.Series([json.dumps({"code": one}) for one in programs])
    )
    scorers = answer_scorers(
        recipe(["quick"], [{"score": {"use": "code", "seconds": 0.5, "as": "quick"}}]), ["quick"], ""
    )
    found = unaccepted_truths(rows, scorers, 0)
    assert found.fates.rows() == [("r_1", FATE)] and found.judged == 2 and found.late == ("r_0",)


@given(st.lists(st.sampled_from(["1", "x + 1", UNREADABLE, NONE]), min_size=1, max_size=8))
def test_every_row_is_judged_or_without_a_truth(truths):
    found = looked(truths, ["math"])
    assert found.judged + found.without == len(truths)
    assert found.rows["row_id"].to_list() == [f"r_{at}" for at, truth in enumerate(truths) if truth == UNREADABLE]
    assert (found.refusal() is not None) == (2 * found.rows.height > found.judged)
