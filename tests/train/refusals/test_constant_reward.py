"""Rewards that say the same of every answer: by the candidates of a run, and by answers made for the probe."""

import json
from collections import Counter

import polars as pl
import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from tests.train.tables import rl_rows
from train.answer_scorers import answer_scorers
from train.refusals.constant_reward import Probed, constant_rewards, verdict
from train.refusals.refusal import Refusal


def recipe(rewards: list[str], steps: list | None = None, **settings) -> Recipe:
    return load_recipe(
        {
            "name": "r",
            "models": {"student": "smollm2-135m"},
            "prompts": [{"source": "a.jsonl"}],
            "completions": steps or [],
            "datasets": {"rl": {"type": "prompt"}},
            "train": {"g": {"trainer": "grpo", "dataset": "rl", "model": "student", "rewards": rewards} | settings},
        }
    )


def said(rows: pl.DataFrame, rewards: list[str], steps: list | None = None, **settings) -> list[Refusal | str]:
    made = recipe(rewards, steps, **settings)
    return list(constant_rewards(made, "g", rows, answer_scorers(made, rewards, "here")))


def scored(rows: pl.DataFrame, **ends: tuple[float, float]) -> pl.DataFrame:
    """Return prompts whose candidates have scores, from the least to the most."""
    scores = {
        f"{name}_{end}": value for name, pair in ends.items() for end, value in zip(("min", "max"), pair, strict=True)
    }
    return rows.with_columns(scores=pl.lit(json.dumps(scores)))


NEVER = [{"score": {"use": "regex", "pattern": "<<never>>", "as": "fmt"}}]


@pytest.mark.parametrize("reward", ["exact_match", "math"])
def test_a_verifier_that_tells_right_from_wrong_is_no_matter(reward):
    assert said(rl_rows(6), [reward]) == []
    assert said(scored(rl_rows(6), math=(0, 1)), [reward], [{"score": "math"}]) == []


@pytest.mark.parametrize("reward", ["exact_match", "math"])
def test_without_ground_truths_a_verifier_has_no_value(reward):
    (refusal,) = said(rl_rows(6).with_columns(ground_truth=pl.lit(None, pl.String)), [reward])
    assert isinstance(refusal, Refusal) and refusal.name == "constant_reward"
    assert f"the reward '{reward}' has no value for any of 18 probed answers (rows r_0, r_1, r_2): " in refusal.text
    assert "ground_truth (18)" in refusal.text or "ground truth (18)" in refusal.text, refusal.text


def test_a_pattern_that_no_candidate_matches_is_refused(tmp_path):
    (refusal,) = said(scored(rl_rows(6), fmt=(0, 0)), ["fmt"], NEVER)
    assert isinstance(refusal, Refusal)
    assert "is 0 for every answer probed (all candidates of 6 prompts and " in refusal.text
    assert "ground truth" not in refusal.remedy


def test_made_answers_alone_leave_a_format_open():
    (warning,) = said(rl_rows(6), ["fmt"], NEVER)
    assert isinstance(warning, str) and "whether a model's answer can reach another value is not known" in warning


def test_wrong_answers_alone_say_nothing_of_a_verifier():
    assert verdict("code", Probed(made=Counter({0.0: 18})), is_verifier=True) is None
    assert verdict("code", Probed(made=Counter({0.0: 18}), references=6), is_verifier=True) is not None


def test_candidates_that_a_filter_has_left_are_no_constant():
    assert said(scored(rl_rows(6), math=(1, 1)), ["math"], [{"score": "math"}]) == []
    (warning,) = said(scored(rl_rows(6), math=(0, 0)), ["math"], [{"score": "math"}])
    assert isinstance(warning, str) and "gave 0 to every candidate that a run has made for 6 of these" in warning


def test_a_reward_of_weight_0_is_only_recorded():
    rows = scored(rl_rows(6), fmt=(0, 0))
    assert said(rows, ["fmt", "math"], NEVER, reward_weights=[0.0, 1.0]) == []
    assert len(said(rows, ["fmt", "math"], NEVER, reward_weights=[1.0, 1.0])) == 1


@pytest.mark.parametrize(
    ("weights", "error"),
    [
        ([0.0, 0.0], "all are 0, so nothing would be learnt"),
        ([1.0], r"expected a list of 2 numbers, one for each of fmt, math; found 1"),
    ],
)
def test_weights_that_leave_no_reward_are_an_error(weights, error):
    with pytest.raises(UserError, match=error):
        said(rl_rows(6), ["fmt", "math"], NEVER, reward_weights=weights)


def test_nothing_known_is_nothing_said():
    assert verdict("r", Probed(), is_verifier=True) is None
    assert verdict("r", Probed(problem="no sandbox"), is_verifier=True) == "the reward 'r' was not probed: no sandbox"
    assert said(rl_rows(6).clear(), ["math"]) == []
