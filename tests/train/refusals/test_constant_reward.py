"""Rewards that say the same of every answer: by the candidates of a run, and by answers made for the probe."""

import json
from collections import Counter
from collections.abc import Sequence

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


SAMPLED = [{"generate": {"use": "sample", "model": "student", "n": 4}}]
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


def test_a_pattern_that_no_candidate_matches_is_refused():
    (refusal,) = said(scored(rl_rows(6), fmt=(0, 0)), ["fmt"], SAMPLED + NEVER)
    assert isinstance(refusal, Refusal)
    assert "is 0 for every answer probed (all candidates of 6 prompts and " in refusal.text
    assert "ground truth" not in refusal.remedy


def test_made_answers_alone_leave_a_format_open():
    (warning,) = said(rl_rows(6), ["fmt"], NEVER)
    assert isinstance(warning, str) and "whether a model's answer can reach another value is not known" in warning


def test_wrong_answers_alone_say_nothing_of_a_verifier():
    made = Counter({0.0: 18})
    assert verdict("code", Probed(made=made), is_verifier=True) is None
    assert isinstance(verdict("code", Probed(made=made, references=6), is_verifier=True), Refusal)
    tried = verdict("code", Probed(prompts=9, candidates={0.0}, made=made, first=["r_0"]), is_verifier=True)
    assert isinstance(tried, str) and "9 prompts and 18 answers made for the probe, and no ref" in tried
    assert tried.endswith("a model that answers alike learns nothing from it")


def test_candidates_that_a_filter_has_left_are_no_constant():
    assert said(scored(rl_rows(6), math=(1, 1)), ["math"], [{"score": "math"}]) == []
    (warning,) = said(scored(rl_rows(6), math=(0, 0)), ["math"], [{"score": "math"}])
    assert isinstance(warning, str) and "gave 0 to every candidate that a run has made for 6 of these" in warning


@pytest.mark.parametrize(
    ("verifier", "truth"), [("json_schema", {"type": "object"}), ("constraints", [{"kind": "max_words", "n": 3}])]
)
@pytest.mark.parametrize("places", [range(7, 200, 20), range(199), [96], [199]], ids=["some", "most", "one", "last"])
def test_prompts_that_a_verifier_reads_are_probed(verifier: str, truth: object, places: Sequence[int]):
    truths = pl.Series([json.dumps(truth) if place in places else "42" for place in range(200)])
    assert said(rl_rows(200).with_columns(ground_truth=truths), ["math", verifier]) == []


def test_a_reward_without_a_value_for_most_rows_is_no_matter(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import polars as pl\n\n\ndef some(response, ground_truth):\n    size = response.str.len_chars()\n"
        "    return pl.DataFrame({'size': size, 'truth': ground_truth}).select(\n"
        "        pl.when(pl.col('truth') == '61').then('size').cast(pl.Float64).alias('value')).to_series()\n"
    )
    monkeypatch.chdir(tmp_path)
    assert said(rl_rows(99), ["mine.some"]) == []
    (refusal,) = said(rl_rows(60), ["mine.some"])
    assert isinstance(refusal, Refusal) and "has no value for any of " in refusal.text


@pytest.mark.slow  # the sandbox
def test_maths_and_programs_in_one_dataset_are_no_matter():
    tests = json.dumps(["assert f(1) == 2"])
    truths = pl.Series([tests if n % 20 == 7 else str(n) for n in range(200)])
    assert said(rl_rows(200).with_columns(ground_truth=truths), ["math", "code"]) == []


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
