"""Lines, bars and records of real trainings of a tiny model."""

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress, StageWarning
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]


class Shown(Progress):
    """Keeps what it is given."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.said: list[str] = []
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.warnings: list[StageWarning] = []
        self.steps, self.stop_at = 0, stop_at

    def advance(self, done: int, note: str = "") -> None:
        self.steps += done
        self.notes += [note] if note else []
        if self.stop_at == self.steps:
            raise KeyboardInterrupt

    def detail(self, line: str) -> None:
        self.said.append(line)

    def status(self, line: str) -> None:
        self.lines.append(line)

    def warn(self, warning: StageWarning) -> None:
        self.warnings.append(warning)


def trained(folder: Path, store: Store, ref: Any, options: str, shown: Shown, **tables: pl.DataFrame) -> Any:
    """Do the training ``t`` on one dataset; return its stage."""
    names = {"sft": "sft", "dpo": "preferences", "rl": "rl_prompts"}
    ((name, rows),) = tables.items()
    made = store.stage(f"{names[name][:3]}{rows.height:09d}")
    datasets = {name: made or write_stage(store, names[name], rows)}
    sections = f"train:\n  t: {{dataset: {name}, model: student, {options}}}\n"
    recipe = recipe_with(folder / "recipes", sections)
    (stage,) = train_recipe(recipe, store, datasets, {"student": ref}, None, shown)
    return stage


def facts(stage: Any) -> dict[str, Any]:
    return json.loads(stage.read("trainings")["metrics"][0])["facts"]


def test_facts_lines_and_evaluations_of_a_training(tmp_path, store, ref):
    options = (
        "per_device_train_batch_size: 2, gradient_accumulation_steps: 2, num_train_epochs: 2, eval_strategy: epoch"
    )
    shown = Shown()
    options = f"trainer: sft, lora: {{r: 4}}, max_length: 22, {options}"
    stage = trained(tmp_path, store, ref, options, shown, sft=sft_rows(11, held_out=2))
    known = facts(stage)
    assert (known["steps_per_epoch"], known["steps"], known["per_step"], known["rows"]) == (3, 6, 4, 9)
    assert known["adapter"] == "LoRA of rank 4 on 14 modules" and known["trainable"] < known["parameters"]
    for memory in ("memory", "memory_lora", "memory_full"):
        assert 50e6 < known[memory] < 20e9
    assert known["memory_measured"] is None or known["memory_measured"] > 50e6
    fates = stage.read("training_rows")
    assert fates["cut_tokens"].sum() > 0 == fates["cut_tokens"].null_count()
    cut = fates.filter(pl.col("cut_tokens") > 0).height
    assert any(line.startswith(f"train.t: max_length cuts {cut} rows: ") for line in shown.said)
    assert "train.t: 9 rows; " in "".join(shown.said) and "3 steps of 4 rows an epoch, 6 in all" in "".join(shown.said)
    evaluated = [line for line in shown.said if "evaluated" in line]
    assert [line.split(",")[0] for line in evaluated] == [f"train.t: evaluated after step {n} of 6" for n in (3, 6)]
    assert "eval_loss" in evaluated[0] and not shown.warnings
    assert shown.lines[0].startswith("train.t: step 1 of 6, loss ") and shown.lines[-1].startswith(
        "train.t: step 6 of 6"
    )
    assert shown.steps == 6 == len(shown.notes) and "tokens/s" in shown.notes[-1]
    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    assert shown.notes[0] == f"loss {[one['loss'] for one in history if 'loss' in one][0]:.3f}"


def test_pairs_show_their_margin(tmp_path, store, ref):
    shown = Shown()
    options = "trainer: dpo, per_device_train_batch_size: 2, max_steps: 2"
    stage = trained(tmp_path, store, ref, options, shown, dpo=preference_rows(5))
    assert ", margin " in shown.notes[0] and "2 pairs" in "".join(shown.said)
    known = facts(stage)
    assert known["adapter"] == "" and known["memory"] == known["memory_full"] and known["learnt_per_epoch"] > 0
    assert stage.read("training_rows")["cut_tokens"].to_list() == [0] * 5


def test_online_rl_shows_rewards_and_no_loss(tmp_path, store, ref):
    shown = Shown()
    options = (
        "trainer: grpo, rewards: [length, repetition], reward_weights: [1, 1], num_generations: 2, max_steps: 4, "
        "per_device_train_batch_size: 4, max_completion_length: 6, num_iterations: 2, eval_strategy: steps, "
        "eval_steps: 2, per_device_eval_batch_size: 2"
    )
    stage = trained(tmp_path, store, ref, options, shown, rl=rl_rows(7, held_out=1))
    assert all(line.split(", ")[1].startswith("reward ") for line in shown.lines) and len(shown.lines) >= 2
    assert "(length " in shown.lines[0] and not any("loss" in note for note in shown.notes)
    assert "4 answers to 2 prompts" in "".join(shown.said) and "eval_reward" in "".join(shown.said)
    assert facts(stage)["steps_per_epoch"] == 6
    assert stage.read("training_rows")["cut_tokens"].null_count() == 6


def test_a_loss_that_is_no_number_is_said_once(tmp_path, store, ref):
    shown = Shown()
    options = "trainer: sft, per_device_train_batch_size: 2, learning_rate: 1e38, num_train_epochs: 2"
    stage = trained(tmp_path, store, ref, options, shown, sft=sft_rows(8))
    (warning,) = shown.warnings
    assert warning.stage == "train.t" and "at step 2" in warning.text and "lower learning_rate" in warning.text
    assert shown.notes[-1].startswith("loss not a number, ")
    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    assert math.isfinite(history[0]["loss"]) and history[-1]["loss"] is None


def test_an_adapter_of_nan_ends_in_a_line_that_says_what_to_set(tmp_path, store, ref):
    options = "trainer: sft, lora: {r: 4}, per_device_train_batch_size: 2, learning_rate: 1e38, num_train_epochs: 2"
    with pytest.raises(
        UserError, match=r"^train\.t: the trained adapter is lost: .*not finite.*set a lower learning_rate"
    ):
        trained(tmp_path, store, ref, options, Shown(), sft=sft_rows(8))


def test_a_resumed_training_counts_on_from_its_checkpoint(tmp_path, store, ref):
    rows = sft_rows(12)
    options = "trainer: sft, per_device_train_batch_size: 2, num_train_epochs: 1, save_strategy: steps, save_steps: 2"
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, store, ref, options, Shown(stop_at=5), sft=rows)
    shown = Shown()
    stage = trained(tmp_path, store, ref, options, shown, sft=rows)
    assert shown.steps == 6 and shown.lines[0].startswith("train.t: step 5 of 6, loss ")
    assert shown.lines[-1].startswith("train.t: step 6 of 6, loss ")
    assert stage.read("trainings")["steps"].item() == 6


def test_rows_that_are_left_out_are_said_with_the_reason(tmp_path, store, ref):
    shown = Shown()
    blank = pl.when(pl.col("row_id") == "r_1").then(pl.lit(json.dumps([{"role": "assistant", "content": " "}])))
    rows = sft_rows(5).with_columns(completion=blank.otherwise("completion"))
    trained(tmp_path, store, ref, "trainer: sft, max_steps: 1", shown, sft=rows)
    assert "train.t: left out: 1 completion is empty" in shown.said


def test_a_training_that_ends_early_shows_its_last_step(tmp_path, store, ref):
    shown = Shown()
    options = "trainer: sft, per_device_train_batch_size: 2, learning_rate: 1.0, num_train_epochs: 9, early_stopping: 1"
    stage = trained(tmp_path, store, ref, options, shown, sft=sft_rows(8, held_out=2))
    steps = json.loads(stage.read("trainings")["metrics"][0])["history"][-1]["step"]
    assert steps < 27 and shown.lines[-1].startswith(f"train.t: step {steps} of 27, loss ")
    assert not shown.lines[-1].endswith("left")


def test_a_reference_that_is_computed_first_shows_no_bar(tmp_path, store, ref, capfd):
    shown = Shown()
    options = "trainer: dpo, per_device_train_batch_size: 2, max_steps: 1, precompute_ref_log_probs: true"
    trained(tmp_path, store, ref, options, shown, dpo=preference_rows(4))
    assert "train.t: the reference's log-probabilities of all rows are computed first" in shown.said[:2]
    assert "Computing reference" not in capfd.readouterr().err
