"""Trainings by a dotted path: TRL's experimental trainers and a user's own, run as they are."""

import json
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, write_stage
from train.plan import plan_trainings
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

STEPS = "per_device_train_batch_size: 2, max_steps: 2, learning_rate: 1e-2"
OWN = """
from dataclasses import dataclass

from trl import SFTConfig, SFTTrainer


@dataclass
class LouderConfig(SFTConfig):
    louder: float = 2.0


class LouderTrainer(SFTTrainer):
    def compute_loss(self, *args, **kwargs):
        return super().compute_loss(*args, **kwargs) * self.args.louder
"""


class Said(Progress):
    """Records the messages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, message: str) -> None:
        self.lines.append(message)


def trained(tmp_path, store, refs, training: str, progress: Progress | None = None, **tables: pl.DataFrame) -> Stage:
    """Do one training and return its stage."""
    recipe = recipe_with(tmp_path / "recipes", f"train:\n  t: {training}\n", models="big: tiny")
    names = {"sft": "sft", "dpo": "preferences", "rl": "rl_prompts"}
    datasets = {name: write_stage(store, names[name], rows) for name, rows in tables.items()}
    (stage,) = train_recipe(recipe, store, datasets, refs, None, progress or Progress())
    return stage


def losses(stage: Stage) -> list[float]:
    return [entry["loss"] for entry in json.loads(stage.read("trainings")["metrics"][0])["history"] if "loss" in entry]


def plain(folder: Path, ref: ModelRef, trainer: str, columns: list[str], rows: pl.DataFrame) -> list[float]:
    """Return the losses of a plain script with one of TRL's experimental trainers on the same rows."""
    import importlib
    import os

    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer

    os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"
    module = importlib.import_module(f"trl.experimental.{trainer}")
    config = getattr(module, f"{trainer.upper()}Config")(
        str(folder),
        per_device_train_batch_size=2,
        max_steps=2,
        learning_rate=1e-2,
        seed=3,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
    )
    done = getattr(module, f"{trainer.upper()}Trainer")(
        model=AutoModelForCausalLM.from_pretrained(ref.location, dtype=torch.float32),
        args=config,
        processing_class=AutoTokenizer.from_pretrained(ref.location, padding_side="left"),
        train_dataset=Dataset.from_list([{c: json.loads(row[c]) for c in columns} for row in rows.to_dicts()]),
    )
    done.train()
    return [entry["loss"] for entry in done.state.log_history if "loss" in entry]


@pytest.mark.parametrize("trainer", ["orpo", "cpo"])
def test_losses_of_pairs_are_plain_trls_to_the_last_digit(tmp_path, store, ref, trainer):
    said, rows = Said(), preference_rows(6)
    same = pl.when(pl.col("row_id") == "r_5").then("chosen").otherwise("rejected")
    training = f"{{trainer: trl.experimental.{trainer}, dataset: dpo, model: student, {STEPS}}}"
    stage = trained(tmp_path, store, {"student": ref}, training, said, dpo=rows.with_columns(rejected=same))
    assert losses(stage) == plain(tmp_path / "plain", ref, trainer, ["prompt", "chosen", "rejected"], rows.head(5))
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert fates == {f"r_{i}": "trained" for i in range(5)} | {"r_5": "chosen and rejected are the same"}
    assert stage.rows("row_losses") == 0 and (stage.path / "model" / "model.safetensors").exists()
    assert [line.split(":")[0] for line in said.lines] == ["train t"] * 2
    assert f"trl.experimental.{trainer} is experimental in TRL" in said.lines[0]
    assert "no row's loss is recorded, nor what max_length cut" in said.lines[1]
    assert f"trl.experimental.{trainer}" in (stage.path / "model" / "README.md").read_text()


def test_a_trainer_of_the_users_own(tmp_path, store, ref, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "louder.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    more = f"dataset: sft, model: student, lora: {{r: 4}}, {STEPS}"
    one, two = (
        trained(tmp_path, store, {"student": ref}, f"{{trainer: own.louder, louder: {n}, {more}}}", sft=sft_rows(4 + n))
        for n in (1, 2)
    )
    assert losses(two)[0] == pytest.approx(2 * losses(one)[0], rel=0.2)
    assert (one.path / "model" / "adapter_model.safetensors").exists()

    def key() -> str:
        recipe = recipe_with(tmp_path / "recipes", f"train:\n  t: {{trainer: own.louder.LouderTrainer, {more}}}\n")
        (found,) = plan_trainings(recipe, store, {"sft": store.stage(sft_stage)}, {"student": ref})
        return found.stage_id

    sft_stage = next(stage for stage in store.stages() if stage.startswith("sft"))
    before = key()
    (tmp_path / "own" / "louder.py").write_text(OWN.replace("    def compute", "    # a comment\n    def compute"))
    assert key() == before
    (tmp_path / "own" / "louder.py").write_text(OWN.replace("self.args.louder", "self.args.louder * 2"))
    assert key() != before


def test_online_dpo_has_rewards_and_rollouts(tmp_path, store, ref):
    training = (
        f"{{trainer: trl.experimental.online_dpo, dataset: rl, model: student, rewards: [length], max_new_tokens: 6, "
        f"{STEPS}}}"
    )
    stage = trained(tmp_path, store, {"student": ref}, training, rl=rl_rows(6))
    rollouts = stage.read("rollouts")
    print(rollouts)
    assert set(rollouts["step"]) == {1, 2} and rollouts["value"].null_count() == 0


def test_gkd_has_a_teacher(tmp_path, store, ref):
    training = (
        f"{{trainer: trl.experimental.gkd, dataset: sft, model: student, teacher: big, lmbda: 0.0, max_new_tokens: 4, "
        f"{STEPS}}}"
    )
    stage = trained(tmp_path, store, {"student": ref, "big": ref}, training, sft=sft_rows(6))
    assert len(losses(stage)) == 2
