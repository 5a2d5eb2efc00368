from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import UserError
from schemas.recipe import Recipe
from tests.train.arms.test_arms import RECIPE, recipe
from train.arms.amounts import Amount
from train.arms.arms import find_arms
from train.arms.equal import made_alike, other_options

ROWS = {"curated": 80, "curated_random": 80, "pairs": 30}


def counted(lengths: dict[str, int], rows: dict[str, int] = ROWS) -> Callable[[Recipe, str], Amount]:
    """Return what counts a training's rows, each with as many tokens as its dataset has."""

    def count(changed: Recipe, name: str) -> Amount:
        training = changed.train[name]
        per_pass = training.settings.get("per_device_train_batch_size", 8)
        held, epochs = rows[training.dataset], 3
        per_epoch = -(-held // per_pass)
        steps = training.settings.get("max_steps", epochs * per_epoch)
        return Amount(steps, per_pass, per_pass, held, per_epoch, held * lengths[training.dataset])

    return count


@pytest.fixture
def arms(tmp_path: Path):
    text = RECIPE.replace(", max_steps: 4", "").replace(
        "both: {trainer: sft, dataset: curated", "both: {trainer: sft, dataset: both"
    )
    return find_arms(recipe(tmp_path, text), ["curated", "random", "dpo"])


def test_arms_that_are_alike_keep_their_own_options(arms):
    whole, found = arms
    alike = made_alike(whole, found, counted({"curated": 10, "curated_random": 10, "pairs": 50}))
    assert alike.recipe == whole and alike.changes == []
    assert [alike.steps(arm) for arm in found] == [30, 30, 42] and [alike.tokens(a) for a in found] == [
        2400,
        2400,
        6900,
    ]


def test_unequal_tokens_are_refused_with_what_to_set(arms):
    whole, found = arms
    with pytest.raises(UserError) as error:
        made_alike(whole, found, counted({"curated": 10, "curated_random": 14, "pairs": 50}))
    assert "curated learns 2,400 in 30 steps, random 3,360 in 30 (+40%; more than 5%)" in str(error.value)
    assert "datasets.curated: set 'match: tokens'" in str(error.value)
    alike = made_alike(whole, found, counted({"curated": 10, "curated_random": 14, "pairs": 50}), tolerance=0.4)
    assert alike.changes == []


def test_as_many_steps_are_set(arms):
    whole, found = arms
    rows = ROWS | {"curated_random": 90}
    alike = made_alike(whole, found, counted({"curated": 10, "curated_random": 10, "pairs": 5}, rows))
    assert alike.recipe.train["curated_random"].settings["max_steps"] == 30
    assert alike.changes == ["arm random: max_steps: 30 (its own were 36), as the arm curated"]
    assert alike.recipe.train["sft"] == whole.train["sft"]


def test_as_many_tokens_in_fewer_rows_are_fewer_rows_a_step(arms):
    whole, found = arms
    rows = ROWS | {"curated_random": 50}  # of 16 tokens: as many an epoch
    alike = made_alike(whole, found, counted({"curated": 10, "curated_random": 16, "pairs": 5}, rows))
    made = alike.recipe.train["curated_random"].settings
    assert made["max_steps"] == 30 and made["per_device_train_batch_size"] == 5
    assert alike.tokens(found[0]) == alike.tokens(found[1]) == 2400
    assert other_options(alike.recipe, found) == []


ON_TOP = """\
  control: {trainer: dpo, dataset: paired, model: sft}
  grpo: {trainer: grpo, dataset: rl, model: student, rewards: [length], max_steps: 9}
"""


@pytest.fixture
def whole(tmp_path: Path) -> Recipe:
    text = RECIPE.replace("  grpo: {trainer: grpo, dataset: rl, model: sft, rewards: [rm]}\n", ON_TOP)
    return recipe(tmp_path, text.replace("  rl: {type", "  paired: {type: preference}\n  rl: {type"))


def test_arms_on_top_of_one_arm_are_alike_too(whole: Recipe):
    whole, found = find_arms(whole, ["sft", "dpo", "control"])
    rows = ROWS | {"paired": 60, "rl": 8}
    alike = made_alike(whole, found, counted({"curated": 10, "pairs": 20, "paired": 20}, rows))
    assert [alike.steps(arm) for arm in found] == [4, 16, 16]
    assert alike.changes == ["arm control: max_steps: 12 (its own were 24), as the arm dpo"]
    with pytest.raises(UserError, match="dpo learns .* in 16 steps, control .* in 16"):
        made_alike(whole, found, counted({"curated": 10, "pairs": 20, "paired": 30}, rows))


def test_the_steps_of_a_chain_count(whole: Recipe):
    count = counted({"curated": 10, "pairs": 20, "rl": 17}, ROWS | {"rl": 8})
    held, found = find_arms(whole, ["dpo", "grpo"])
    alike = made_alike(held, found, count)
    assert [alike.steps(arm) for arm in found] == [16, 16]
    held, found = find_arms(whole.model_copy(update={"train": whole.train | {"grpo": _short(whole)}}), ["grpo", "dpo"])
    with pytest.raises(UserError, match="grpo has 3 steps in all, and train.sft, from which dpo goes on, 4 already"):
        made_alike(held, found, count)


def _short(whole: Recipe):
    return whole.train["grpo"].model_copy(update={"max_steps": 3})


def test_rows_a_step_are_looked_for_where_tokens_match(tmp_path: Path):
    text = RECIPE.replace("control: random", "control: random, match: tokens").replace(
        "  both: {trainer", "  b: {trainer"
    )
    text = text.replace("b: {trainer: sft, dataset: curated", "b: {trainer: sft, dataset: both")
    whole, found = find_arms(recipe(tmp_path, text.replace(", max_steps: 4", "")), ["curated", "random"])
    count = counted({"curated": 10, "curated_random": 16}, {"curated": 800, "curated_random": 450})
    alike = made_alike(whole, found, count)  # 8,000 and 7,200 tokens an epoch
    assert alike.recipe.train["curated_random"].settings["per_device_train_batch_size"] == 5
    assert alike.tokens(found[0]) == 24000 and alike.tokens(found[1]) == pytest.approx(24000, rel=0.05)
    few = counted({"curated": 10, "curated_random": 15}, {"curated": 12, "curated_random": 9})
    with pytest.raises(UserError, match="has 'match: tokens', but too few rows for it"):
        made_alike(whole, found, few, tolerance=0.01)


def test_what_differs_beside_the_data_is_said(arms):
    whole, found = arms
    other = whole.train["curated_random"].model_copy(update={"learning_rate": 2.0})
    changed = whole.model_copy(update={"train": {**whole.train, "curated_random": other}})
    assert other_options(changed, found) == [
        "arm random differs from curated in more than its data: learning_rate: 2.0, not None"
    ]


@pytest.mark.parametrize("tolerance", [-0.1, 0.6, True, float("nan")])
def test_a_tolerance_has_bounds(arms, tolerance: float):
    whole, found = arms
    with pytest.raises(UserError, match="--tolerance: expected a share from 0 to 0.5"):
        made_alike(whole, found, counted({}), tolerance)
