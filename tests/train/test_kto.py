"""KTO trains a tiny model: its losses are plain TRL's, each row's is recorded, and what it cannot learn is refused."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import PLAIN_TRL, recipe_with, sft_rows, turns, unpaired_rows, write_stage
from train.rows.unpaired_labels import in_random_order
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

STEPS = "per_device_train_batch_size: 3, max_steps: 3, learning_rate: 1e-2"


def trained(folder: Path, ref: ModelRef, rows: pl.DataFrame, options: str) -> Stage:
    """The stage of a KTO training."""
    store = Store(folder / "store")
    stage = write_stage(store, "unpaired", rows)
    recipe = recipe_with(folder, f"train:\n  k: {{trainer: kto, dataset: kto, model: student, {options}}}\n")
    return train_recipe(recipe, store, {"kto": stage}, {"student": ref}, None, Progress())[0]


def history(stage: Stage) -> list[dict[str, Any]]:
    return json.loads(stage.read("trainings")["metrics"][0])["history"]


def plain_trl(folder: Path, ref: ModelRef, rows: pl.DataFrame, *, lora: bool = False, **options: Any) -> list[dict]:
    """The log of TRL's own trainer on the same rows in the same order."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import KTOConfig, KTOTrainer

    items = [
        {"prompt": json.loads(row["prompt"]), "completion": json.loads(row["completion"]), "label": row["label"]}
        for row in rows.iter_rows(named=True)
    ]
    steps: dict[str, Any] = {
        "per_device_train_batch_size": 3,
        "max_steps": 3,
        "learning_rate": 1e-2,
        "disable_tqdm": True,
    }
    config = KTOConfig(output_dir=str(folder), **(PLAIN_TRL | steps | options))
    peft = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear")
    model = AutoModelForCausalLM.from_pretrained(ref.location, dtype="float32")
    tokenizer = AutoTokenizer.from_pretrained(ref.location)
    dataset = Dataset.from_list(items)
    trainer = KTOTrainer(
        model, args=config, processing_class=tokenizer, train_dataset=dataset, peft_config=peft if lora else None
    )
    trainer.train()
    return trainer.state.log_history


@pytest.mark.parametrize(
    ("options", "more", "lora"),
    [
        ("", {}, False),
        (", lora: {r: 4, lora_dropout: 0.0}", {}, True),
        (", loss_type: apo_zero_unpaired", {"loss_type": "apo_zero_unpaired"}, False),
        (", precompute_ref_log_probs: true", {"precompute_ref_log_probs": True}, False),
        (", desirable_weight: 1.5, undesirable_weight: 0.5, beta: 0.3, max_length: 24",
         {"desirable_weight": 1.5, "undesirable_weight": 0.5, "beta": 0.3, "max_length": 24}, False),
    ],
    ids=["full", "lora", "apo", "precomputed", "weights"],
)  # fmt: skip
def test_losses_are_those_of_plain_trl(tmp_path: Path, ref: ModelRef, options: str, more: dict, lora: bool):
    rows = unpaired_rows(10)
    ours = trained(tmp_path / "ours", ref, rows, STEPS + options)
    theirs = plain_trl(tmp_path / "theirs", ref, in_random_order(rows, 3), lora=lora, **more)
    names = ("loss", "grad_norm", "kl", "rewards/chosen", "rewards/rejected", "logps/chosen", "entropy")
    for one, other in zip(history(ours), theirs[:3], strict=True):
        for name in names:
            assert one.get(name) == other.get(name), name
    losses = ours.read("row_losses")
    logged = [entry["loss"] for entry in history(ours)]
    means = losses.group_by("step", maintain_order=True).agg(pl.col("loss").mean())["loss"]
    assert means.to_list() == pytest.approx(logged, abs=1e-4), "TRL rounds what it logs"
    first, last = losses.filter(step=1), losses.filter(step=3)
    assert first["margin"].to_list() == pytest.approx([0.0] * 3, abs=1e-5), "it starts from the reference"
    assert (last["margin"].abs() > 1e-6).all()


def test_a_row_is_recorded_with_its_loss_tokens_and_margin(tmp_path: Path, ref: ModelRef):
    stage = trained(tmp_path, ref, unpaired_rows(9), f"{STEPS}, num_train_epochs: 1, lora: true, beta: 0.5")
    losses = stage.read("row_losses").join(
        unpaired_rows(9).select("row_id", "label"), on="row_id", maintain_order="left"
    )
    assert losses["row_id"].n_unique() == 9 and (losses["tokens"] > 1).all() and (losses["entropy"] > 0).all()
    for entry, (_, part) in zip(history(stage), losses.group_by("step", maintain_order=True), strict=True):
        side = pl.when("label").then(1.0).otherwise(-1.0)
        expected = 1 - 1 / (1 + (-side * (pl.col("margin") - 0.5 * entry["kl"])).exp())
        assert part["loss"].to_list() == pytest.approx(part.select(expected).to_series().to_list(), abs=1e-4)
        for label, name in ((True, "rewards/chosen"), (False, "rewards/rejected")):
            if name in entry:
                assert part.filter(label=label)["margin"].mean() == pytest.approx(entry[name], abs=1e-4)
    assert stage.manifest["result"].startswith("9 rows, 9 turns to learn, 3 steps")


def test_a_training_on_top_of_an_adapter_starts_from_it(tmp_path: Path, ref: ModelRef):
    store = Store(tmp_path / "store")
    datasets = {"sft": write_stage(store, "sft", sft_rows(6)), "kto": write_stage(store, "unpaired", unpaired_rows(9))}
    for lora in ("", ", lora: {r: 4}"):
        sections = (
            f"train:\n  s: {{trainer: sft, dataset: sft, model: student, lora: true, {STEPS}}}\n"
            f"  k: {{trainer: kto, dataset: kto, model: s, {STEPS}{lora}}}\n"
        )
        recipe = recipe_with(tmp_path, sections)
        _, stage = train_recipe(recipe, store, datasets, {"student": ref}, None, Progress())
        first = stage.read("row_losses").filter(step=1)
        assert first["margin"].to_list() == pytest.approx([0.0] * 3, abs=1e-5)
        assert first["loss"].to_list() == pytest.approx([0.5] * 3, abs=1e-5)


def test_rows_to_evaluate_on_are_recorded_as_such(tmp_path: Path, ref: ModelRef):
    options = f"{STEPS}, eval_strategy: steps, eval_steps: 3"
    rows = unpaired_rows(17, held_out=8)
    losses = trained(tmp_path, ref, rows, options).read("row_losses")
    drawn = in_random_order(rows.tail(8), 3)["row_id"].to_list()
    assert losses.filter(phase="eval").select("step", "row_id").rows() == [(3, row_id) for row_id in drawn]
    assert drawn != rows["row_id"].tail(8).to_list(), "neighbours of a dataset are answers to one prompt"


def test_a_row_without_room_for_its_answer_is_left_out(tmp_path: Path, ref: ModelRef):
    long = pl.when(pl.col("row_id") == "r_3").then(pl.lit(turns("user", "answer " * 60))).otherwise("prompt")
    stage = trained(tmp_path, ref, unpaired_rows(9).with_columns(prompt=long), f"{STEPS}, max_length: 32")
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert fates["r_3"] == "longer than max_length: none of the answer is left"
    assert list(fates.values()).count("trained") == 8


def test_the_rows_are_in_their_order_where_the_recipe_says_so(tmp_path: Path, ref: ModelRef):
    def order(name: str, more: str) -> list[str]:
        return trained(tmp_path / name, ref, unpaired_rows(9), STEPS + more).read("row_losses")["row_id"].to_list()

    assert order("given", ", train_sampling_strategy: sequential") == [f"r_{i}" for i in range(9)]
    drawn = order("drawn", "")
    assert drawn == in_random_order(unpaired_rows(9), 3)["row_id"].to_list() != order("other", ", seed: 9")


@pytest.mark.parametrize(
    ("label", "found"),
    [
        (pl.lit(True), "all 6 rows are good answers; KTO learns from good answers and bad ones"),
        (pl.lit(False), "all 6 rows are bad answers"),
        (pl.when(pl.col("row_id") == "r_2").then(None).otherwise("label"), "row r_2, column label: .* found null"),
    ],
)
def test_rows_of_one_label_or_of_none_are_refused(tmp_path: Path, ref: ModelRef, label: pl.Expr, found: str):
    with pytest.raises(UserError, match=f"train.k: {found}"):
        trained(tmp_path, ref, unpaired_rows(6).with_columns(label=label), STEPS)


def test_one_label_that_max_length_leaves_is_refused(tmp_path: Path, ref: ModelRef):
    long = pl.when(~pl.col("label")).then(pl.lit(turns("user", "answer " * 60))).otherwise("prompt")
    with pytest.raises(UserError, match="none of the 3 bad answers is left to learn from: 3 x longer"):
        trained(tmp_path, ref, unpaired_rows(9).with_columns(prompt=long), f"{STEPS}, max_length: 32")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ("per_device_train_batch_size: 1", "per_device_train_batch_size: KTO estimates the KL .* found 1"),
        ("train_sampling_strategy: random", "train_sampling_strategy: .* expected sequential, found random"),
        ("auto_find_batch_size: true", "auto_find_batch_size would change the batches"),
        ("loss_type: dpo", "no value of loss_type called 'dpo'"),
        ("desirable_weight: -1", "desirable_weight: expected a number from 0, found -1"),
        ("desirable_weight: 0, undesirable_weight: 0", "desirable_weight and undesirable_weight: both are 0"),
        ("beta: 0", "beta: expected a number above 0, found 0"),
    ],
)
def test_options_that_break_the_kl_estimate_are_refused(tmp_path: Path, ref: ModelRef, options: str, found: str):
    with pytest.raises(UserError, match=found):
        trained(tmp_path, ref, unpaired_rows(6), options)


def test_without_the_kl_a_batch_of_one_row_is_allowed(tmp_path: Path, ref: ModelRef):
    options = "per_device_train_batch_size: 1, max_steps: 2, loss_type: apo_zero_unpaired"
    losses = trained(tmp_path, ref, unpaired_rows(4), f"{options}, train_sampling_strategy: random").read("row_losses")
    assert losses["loss"].to_list()[:1] == pytest.approx([0.5]) and math.isfinite(losses["margin"].sum())
