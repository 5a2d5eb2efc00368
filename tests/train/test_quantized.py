"""QLoRA: adapters over weights of four or eight bits. These tests need bitsandbytes, which trains on a CPU, too."""

import importlib.util
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from curate.models.weights import load
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Training
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, write_stage
from train.options import options
from train.run import train_recipe

STEPS = "per_device_train_batch_size: 2, max_steps: 3, learning_rate: 1e-2"
TRAININGS = f"""train:
  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 2}}, quantize: 4bit, {STEPS}}}
  d: {{trainer: dpo, dataset: dpo, model: s, lora: {{r: 2}}, quantize: 8bit, {STEPS}}}
  r: {{trainer: reward, dataset: dpo, model: s, lora: {{r: 2}}, quantize: 4bit, {STEPS}}}
  g: {{trainer: grpo, dataset: rl, model: student, lora: {{r: 2}}, quantize: 4bit, {STEPS}, num_generations: 2,
       max_completion_length: 4, rewards: [length]}}
"""


def training(**given: object) -> Training:
    return Training.model_validate({"trainer": "sft", "dataset": "d", "model": "m", **given})


def test_quantised_weights_are_trained_by_an_adapter_alone():
    for lora in (None, False):
        with pytest.raises(UserError, match="r.yaml:9: quantize: 4bit: quantised weights cannot be trained; add lora"):
            options.check(training(quantize="4bit", lora=lora), "r.yaml:9")


@pytest.mark.skipif(importlib.util.find_spec("bitsandbytes") is not None, reason="bitsandbytes is installed")
def test_without_bitsandbytes_the_extra_is_named():
    with pytest.raises(UserError, match=r"r.yaml:9: quantize: 8bit needs the extra 'quantize'"):
        options.check(training(quantize="8bit", lora=True), "r.yaml:9")


@needs("trl", "peft", "bitsandbytes")
@pytest.mark.slow
def test_adapters_are_trained_over_quantised_weights(tmp_path: Path, wide: Path):
    store = Store(tmp_path / "store")
    datasets = {
        "sft": write_stage(store, "sft", sft_rows(8)),
        "dpo": write_stage(store, "preferences", preference_rows(8)),
        "rl": write_stage(store, "rl_prompts", rl_rows(8)),
    }
    ref = ModelRef("student", "tiny@0", str(wide))
    recipe = recipe_with(tmp_path, TRAININGS)
    done = train_recipe(recipe, store, datasets, {"student": ref}, None, Progress())
    ids = [stage.stage_id for stage in done]
    assert len(set(ids)) == 4
    # Before the first step the adapter is nothing, so policy and reference agree: both have the SFT adapter merged.
    assert done[1].read("row_losses").filter(step=1)["margin"].to_list() == pytest.approx([0.0, 0.0], abs=1e-5)
    # The adapters fit the weights that are not quantised, where they are merged.
    merged, _ = load(
        ref.trained("s", ids[0], done[0].path / "model", adapter=True).trained(
            "d", ids[1], done[1].path / "model", adapter=True
        )
    )
    plain, _ = load(ref)
    assert any(not a.equal(b) for a, b in zip(merged.parameters(), plain.parameters(), strict=True))
    # Other precision, another training.
    other = recipe_with(tmp_path / "plain", TRAININGS.replace(" quantize: 4bit,", ""))
    assert train_recipe(other, store, datasets, {"student": ref}, ["s"], Progress())[0].stage_id not in ids
