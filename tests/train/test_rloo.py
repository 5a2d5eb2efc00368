"""The reference of rloo and grpo: the model that the training starts from, with the adapters of earlier trainings."""

import json
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import recipe_with, rl_rows, sft_rows, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

SMALL = (
    "num_generations: 2, per_device_train_batch_size: 4, max_steps: 2, max_completion_length: 6, learning_rate: 1e-2"
)
SFT = "{trainer: sft, dataset: sft, model: student, lora: {r: 4}, max_steps: 8, learning_rate: 5e-2}"


@pytest.mark.parametrize(
    ("trainer", "lora", "kl"),
    [("rloo", "false", ""), ("rloo", "{r: 4}", ""), ("rloo", "false", "beta: 0, "), ("grpo", "false", "beta: 0.1, ")],
)
def test_it_diverges_from_the_merged_model(tmp_path: Path, tiny: Path, trainer: str, lora: str, kl: str):
    store = Store(tmp_path / "store")
    datasets = {"sft": write_stage(store, "sft", sft_rows(6)), "rl": write_stage(store, "rl_prompts", rl_rows(4))}
    online = f"{{trainer: {trainer}, dataset: rl, model: s, lora: {lora}, {kl}{SMALL}, rewards: [length]}}"
    recipe = recipe_with(tmp_path, f"train:\n  s: {SFT}\n  r: {online}\n")
    models = {"student": ModelRef("student", "tiny@0", str(tiny))}
    stages = train_recipe(recipe, store, datasets, models, None, Progress())
    history = json.loads(stages[1].read("trainings")["metrics"][0])["history"]
    if kl == "beta: 0, ":
        assert all("kl" not in entry for entry in history)
        return
    first, second = (entry["kl"] for entry in history)
    assert abs(first) < 1e-6 < abs(second)


def test_too_few_prompts_for_a_sampling_are_an_error(tmp_path: Path, tiny: Path):
    store = Store(tmp_path / "store")
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(3))}
    online = (
        f"{{trainer: rloo, dataset: rl, model: student, {SMALL}, gradient_accumulation_steps: 2, rewards: [length]}}"
    )
    recipe = recipe_with(tmp_path, f"train:\n  r: {online}\n")
    nowhere = {"student": ModelRef("student", "tiny@0", str(tmp_path / "no model, which is not loaded"))}
    with pytest.raises(UserError) as error:
        train_recipe(recipe, store, datasets, nowhere, None, Progress())
    assert str(error.value).startswith("train.r: 3 prompts to train on, but 4 are sampled at a time (batches of 4 ")
    assert "lower per_device_train_batch_size, gradient_accumulation_steps or steps_per_generation" in str(error.value)
