from pathlib import Path

import pytest

from schemas.errors import UserError
from schemas.load_recipe import load_recipe
from schemas.recipe import Recipe
from train.arms.arms import find_arms
from train.arms.seeds import check_seeds, recipe_of_seed, seeds_of, trainings_of

RECIPE = """\
name: arms
seed: 7
models: {student: tiny, other: tiny}
prompts:
  - source: rows.jsonl
datasets:
  curated: {type: sft, control: random}
  both: {type: sft}
  alone: {type: sft}
  pairs: {type: preference}
  rl: {type: prompt}
train:
  sft: {trainer: sft, dataset: curated, model: student, max_steps: 4}
  both: {trainer: sft, dataset: curated, model: student, learning_rate: 1e-3}
  dpo: {trainer: dpo, dataset: pairs, model: sft}
  rm: {trainer: reward, dataset: pairs, model: student}
  grpo: {trainer: grpo, dataset: rl, model: sft, rewards: [rm]}
  far: {trainer: sft, dataset: alone, model: other}
evaluate: {models: [student, sft], dataset: rl, by: [length]}
"""


def recipe(tmp_path: Path, text: str = RECIPE) -> Recipe:
    (tmp_path / "r.yaml").write_text(text)
    return load_recipe(tmp_path / "r.yaml")


def test_a_dataset_is_trained_as_its_training_or_its_control_is(tmp_path: Path):
    one = recipe(
        tmp_path, RECIPE.replace("both: {trainer: sft, dataset: curated", "both: {trainer: sft, dataset: both")
    )
    whole, arms = find_arms(one, ["curated", "random", "dpo"])
    assert [(a.name, a.training, a.dataset, a.chain) for a in arms] == [
        ("curated", "sft", "curated", ("sft",)),
        ("random", "curated_random", "curated_random", ("curated_random",)),
        ("dpo", "dpo", "pairs", ("sft", "dpo")),
    ]
    assert whole.train["curated_random"] == whole.train["sft"].model_copy(update={"dataset": "curated_random"})
    assert arms[2].is_on(arms[0]) and not arms[0].is_on(arms[2]) and not arms[2].is_on(arms[1])
    assert whole.where("train", "curated_random").endswith(":13")


def test_the_training_of_datasets_can_be_named(tmp_path: Path):
    whole, arms = find_arms(recipe(tmp_path), ["curated", "datasets.both"], "both")
    assert [arm.training for arm in arms] == ["both", "both_both"]
    assert whole.train["both_both"].settings == {"learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("names", "template", "said"),
    [
        ([], None, "expected 1 to 6 names"),
        (["sft", "sft"], None, "is the training 'sft', as is the arm 'sft'"),
        (["sft", "curatd"], None, "no arm (a dataset or a training) 'curatd'; did you mean 'curated'?"),
        (["curated", "sft"], None, "train.sft and train.both train on it"),
        (["sft", "both"], None, "is a dataset, and a training on 'curated'; write datasets.both or train.both"),
        (["dpo", "random"], None, "datasets.pairs has no random control; set 'control: random'"),
        (["random", "random"], None, "is the control of another arm's dataset"),
        (["sft", "train.nothing"], None, "no training 'nothing'"),
        (["sft", "curated"], "nothing", "no training 'nothing'"),
        (["sft", "rm"], None, "makes a reward model"),
        (["sft", "far"], None, "the arms start from different models: 'sft' from 'student', 'far' from 'other'"),
    ],
)  # fmt: skip
def test_what_can_be_no_arm_is_refused(tmp_path: Path, names: list[str], template: str | None, said: str):
    with pytest.raises(UserError) as error:
        find_arms(recipe(tmp_path), names, template)
    assert said in str(error.value)


def test_each_seed_has_trainings_of_its_own_names(tmp_path: Path):
    whole, arms = find_arms(recipe(tmp_path), ["sft", "grpo"])
    assert seeds_of(whole, 3) == [7, 8, 9] and trainings_of(whole, arms) == ["sft", "rm", "grpo"]
    own, other = recipe_of_seed(whole, arms, 7), recipe_of_seed(whole, arms, 8)
    assert own.train == whole.train and own.seed == 7 and other.seed == 8
    assert own.evaluate and own.evaluate.models == ["student", "sft", "grpo"]
    assert other.evaluate and other.evaluate.models == ["student", "sft.seed8", "grpo.seed8"]
    grpo = other.train["grpo.seed8"]
    assert grpo.model == "sft.seed8" and grpo.rewards == ["rm.seed8"] and grpo.dataset == "rl"
    assert other.where("train", "grpo.seed8", "rewards") == own.where("train", "grpo", "rewards")


@pytest.mark.parametrize("count", [0, -1, 101, True, 2.5])
def test_a_wrong_number_of_seeds_is_refused(tmp_path: Path, count: int):
    with pytest.raises(UserError, match="--seeds: expected a whole number from 1 to 100"):
        seeds_of(recipe(tmp_path), count)


def test_the_last_seed_has_to_be_one_that_trainings_take(tmp_path: Path):
    text = RECIPE.replace("seed: 7", f"seed: {2**32 - 2}")
    assert seeds_of(recipe(tmp_path, text), 2) == [2**32 - 2, 2**32 - 1]
    with pytest.raises(UserError, match="r.yaml:2: seed: .*--seeds 3: the last seed would be 4294967296"):
        seeds_of(recipe(tmp_path, text), 3)


@pytest.mark.parametrize("option", ["seed: 3", "data_seed: 3"])
def test_a_training_with_a_seed_of_its_own_is_refused(tmp_path: Path, option: str):
    text = RECIPE.replace("max_steps: 4", f"max_steps: 4, {option}")
    whole, arms = find_arms(recipe(tmp_path, text), ["sft", "dpo"])
    with pytest.raises(UserError, match="so that all seeds would be one training"):
        check_seeds(whole, arms)
