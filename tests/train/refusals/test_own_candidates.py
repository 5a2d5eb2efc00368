"""When equal scores of a run's candidates say that a reward is constant."""

import pytest

from schemas.load_recipe import load_recipe
from train.refusals.own_candidates import why_open

SCORE = {"score": {"use": "own.score", "as": "good"}}
SAMPLE = {"generate": {"use": "sample", "model": "student", "n": 4}}


def looked(*steps: dict, prompts: int = 8, reward: str = "good", **dataset) -> str:
    recipe = {
        "name": "r",
        "models": {"student": "smollm2-135m", "other": "smollm2-135m"},
        "prompts": [{"source": "a.jsonl"}],
        "completions": [*steps],
        "datasets": {"rl": {"type": "prompt"} | dataset},
        "train": {"g": {"trainer": "grpo", "dataset": "rl", "model": "student", "rewards": [reward]}},
    }
    return why_open(load_recipe(recipe), "g", reward, prompts)


def test_a_handful_of_the_model_s_own_answers_is_enough():
    assert looked(SAMPLE, SCORE) == ""
    assert looked(SAMPLE, SCORE, {"score": "length"}, {"filter": {"empty": "length = 0"}}) == ""
    shares = {"generate": {"use": "sample", "model": {"student": 0.5, "other": 0.5}, "n": 2}}
    assert looked(shares, SCORE) == looked(SAMPLE, SCORE, prompts=4) == ""


@pytest.mark.parametrize(
    "steps", [[SCORE], [{"generate": {"use": "sample", "model": "other", "n": 9}}, SCORE]], ids=["recorded", "another"]
)
def test_answers_of_others_leave_it_open(steps: list[dict]):
    assert looked(*steps) == "no candidate was sampled from 'student'"


def test_few_answers_leave_it_open():
    once = {"generate": {"use": "sample", "model": "student"}}
    for steps, prompts in (([SAMPLE], 3), ([once], 15)):
        assert looked(*steps, SCORE, prompts=prompts) == "they are few (expected 16 of 4 prompts)"
    assert looked(once, SCORE, prompts=16) == ""


@pytest.mark.parametrize(
    "steps",
    [
        [{"filter": {"bad": "good < 1"}}],
        [{"score": {"use": "combine", "as": "both", "sql": "good + 1"}}, {"filter": {"bad": "both < 2"}}],
        [{"score": {"use": "own.score", "as": "again"}}, {"filter": {"bad": "again < 1"}}],
        [{"select": "best_of_n"}],
        [{"select": {"use": "best_of_n", "by": "good"}}],
    ],
    ids=["itself", "computed", "the same step", "select", "by"],
)
def test_candidates_that_it_has_chosen_leave_it_open(steps: list[dict]):
    assert looked(SAMPLE, SCORE, *steps) == "they were chosen by it"


@pytest.mark.parametrize("condition", ["good_max > 0", "pass_rate = 0", "coalesce(good_mean, 0) >= 1"])
def test_prompts_that_it_has_chosen_leave_it_open(condition: str):
    assert looked(SAMPLE, SCORE, where=condition) == "they were chosen by it"
    assert looked(SAMPLE, SCORE, where="goodness_max > 0") == ""
