"""Trainings by a dotted path: TRL's experimental trainers and a user's own, run as they are."""

import importlib.metadata
import json
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.score.length import score as words
from curate.steps import code_hash
from curate.storage.stage import Stage
from schemas.errors import UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.said import Said
from tests.train.tables import PLAIN_TRL, preference_rows, recipe_with, rl_rows, sft_rows, unpaired_rows, write_stage
from train.dotted.dotted_training import with_phases
from train.plan import plan_trainings
from train.rows.unpaired_labels import in_random_order
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


def trained(tmp_path, store, refs, training: str, progress: Progress | None = None, **tables: pl.DataFrame) -> Stage:
    """Do one training and return its stage."""
    recipe = recipe_with(tmp_path / "recipes", f"train:\n  t: {training}\n", models="big: tiny")
    names = {"sft": "sft", "dpo": "preferences", "kto": "unpaired", "rl": "rl_prompts"}
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
        **PLAIN_TRL,
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
    assert f"trl.experimental.{trainer} is code that TRL" in said.lines[0]
    assert "no row's loss is recorded, nor what max_length cut" in said.lines[1]
    assert f"trl.experimental.{trainer}" in (stage.path / "model" / "README.md").read_text()


def test_a_trainer_of_the_users_own(tmp_path, store, ref, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "louder.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    options = f"dataset: sft, model: student, lora: {{r: 4}}, {STEPS}, save_strategy: steps, save_steps: 1"
    both = []
    for louder, rows in ((1, sft_rows(4)), (2, sft_rows(5))):
        training = f"{{trainer: own.louder, louder: {louder}, {options}}}"
        both.append(trained(tmp_path, store, {"student": ref}, training, sft=rows))
    assert losses(both[1])[0] == pytest.approx(2 * losses(both[0])[0], rel=0.2)
    assert (both[0].path / "model" / "adapter_model.safetensors").exists()
    with pytest.raises(UserError, match="no option of .*LouderConfig called 'loud'; did you mean 'louder'"):
        trained(tmp_path, store, {"student": ref}, "{trainer: own.louder, loud: 3, dataset: sft, model: student}")


def test_a_training_depends_on_the_code_of_the_users_trainer(tmp_path, store, ref, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sft = write_stage(store, "sft", sft_rows(4))

    def key(code: str) -> str:
        (tmp_path / "louder.py").write_text(code)
        for cached in (code_hash._parse, code_hash._code, code_hash._references, code_hash._resolve, code_hash._file):
            cached.cache_clear()
        training = f"{{trainer: louder.LouderTrainer, dataset: sft, model: student, {STEPS}}}"
        recipe = recipe_with(tmp_path / "recipes", f"train:\n  t: {training}\n")
        (found,) = plan_trainings(recipe, store, {"sft": sft}, {"student": ref})
        assert found.depends_on["trl"] == importlib.metadata.version("trl")
        return found.stage_id

    before = key(OWN)
    assert key(OWN.replace("    def compute", "    # a comment\n    def compute")) == before
    assert key(OWN.replace("self.args.louder", "self.args.louder * 2")) != before
    assert key(OWN.replace("= 2.0", "= 3.0")) != before


@pytest.mark.parametrize("trainer", ["online_dpo", "gmpo"])
def test_rewards_are_recorded(tmp_path, store, ref, trainer):
    length = "max_new_tokens" if trainer == "online_dpo" else "num_generations: 2, max_completion_length"
    evaluates = trainer == "gmpo"  # TRL's online_dpo cannot evaluate
    more = ", eval_strategy: steps, eval_steps: 1, per_device_eval_batch_size: 2" if evaluates else ""
    training = (
        f"{{trainer: trl.experimental.{trainer}, dataset: rl, model: student, rewards: [length], {length}: 6, {STEPS}"
        f"{more}}}"
    )
    stage = trained(tmp_path, store, {"student": ref}, training, rl=rl_rows(8, held_out=2))
    rollouts = stage.read("rollouts")
    assert set(rollouts.filter(phase="train")["step"]) == {1, 2} and rollouts["value"].null_count() == 0
    assert rollouts["value"].to_list() == words(rollouts["response"], rollouts["tokens"])["value"].to_list()
    assert rollouts["advantage"].null_count() == (rollouts.height if trainer == "online_dpo" else 0)
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert {row for row, fate in fates.items() if fate == "trained"} == set(rollouts.filter(phase="train")["row_id"])
    assert set(rollouts.filter(phase="eval")["row_id"]) == ({"r_6", "r_7"} if evaluates else set())


def test_answers_to_held_out_prompts_are_told_by_their_rows():
    recorded = pl.DataFrame(
        {"step": [1, 2, 2, 1], "row_id": list("abcd"), "phase": ["train", "train", "eval", "train"]}
    )
    marked = with_phases(recorded, pl.DataFrame({"row_id": ["c", "d"]}))
    assert marked.rows() == [(1, "a", "train"), (2, "b", "train"), (2, "c", "eval"), (0, "d", "eval")]
    assert with_phases(recorded, pl.DataFrame()).equals(recorded)


def test_a_teacher_and_rows_of_messages(tmp_path, store, ref):
    training = (
        f"{{trainer: trl.experimental.gkd, dataset: sft, model: student, teacher: big, lmbda: 0.0, max_new_tokens: 4, "
        f"{STEPS}}}"
    )
    stage = trained(tmp_path, store, {"student": ref, "big": ref}, training, sft=sft_rows(6))
    assert losses(stage) == pytest.approx([0.0, 0.0], abs=1e-3)  # the student is its own teacher


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            "trainer: trl.experimental.orpo, dataset: sft",
            "(ORPOTrainer) needs a dataset of type 'preference'; 'sft' is of",
        ),
        ("trainer: trl.experimental.orpo, dataset: sft, betta: 1", "called 'betta'; did you mean 'beta'"),
        ("trainer: trl.experimental.orpo, dataset: sft, rewards: [length]", "takes no 'rewards'"),
        ("trainer: trl.experimental.gmpo, dataset: sft, num_generations: 2", "needs 'rewards'"),
        ("trainer: trl.experimental.orpa, dataset: sft", "did you mean 'trl.experimental.orpo'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, store, ref, training, message):
    with pytest.raises(UserError) as error:
        trained(tmp_path, store, {"student": ref}, f"{{{training}, model: student, {STEPS}}}", sft=sft_rows(4))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_answers_with_labels_are_put_in_random_order(tmp_path, store, ref, monkeypatch):
    """KTO pairs neighbours; a dataset has the answers of a prompt side by side."""
    (tmp_path / "mine.py").write_text(
        "from .two import KTOTrainer\n\nORDER = []\n\nclass MineTrainer(KTOTrainer):\n"
        "    def _prepare_dataset(self, dataset, *args):\n        ORDER.append(list(dataset['row_index']))\n"
        "        print([m[0]['content'] for m in dataset['completion']], file=open('order.txt', 'a'))\n"
        "        return super()._prepare_dataset(dataset, *args)\n"
    )
    (tmp_path / "two.py").write_text("# -*- coding: latin-1 -*-\nfrom trl import *\nx = 'caf\xe9'\n", "latin-1")
    monkeypatch.chdir(tmp_path)
    rows = unpaired_rows(6)
    training = f"{{trainer: mine.MineTrainer, dataset: kto, model: student, {STEPS}}}"
    stage = trained(tmp_path, store, {"student": ref}, training, kto=rows)
    assert len(losses(stage)) == 2 and stage.rows("row_losses") == 0
    assert stage.read("training_rows")["fate"].unique().to_list() == ["trained"]
    drawn = [json.loads(one)[0]["content"] for one in in_random_order(rows, 3)["completion"]]
    assert (tmp_path / "order.txt").read_text() == f"{drawn}\n"


def test_errors_of_a_users_own_code_name_its_line(tmp_path, store, ref, monkeypatch):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "bad.py").write_text(OWN + "\nfrom .missing import x\n")
    monkeypatch.chdir(tmp_path)
    training = f"{{trainer: own.bad, dataset: sft, model: student, {STEPS}}}"
    with pytest.raises(UserError, match=r"own/bad\.py:16: cannot be imported: ModuleNotFoundError: No module"):
        trained(tmp_path, store, {"student": ref}, training, sft=sft_rows(4))
