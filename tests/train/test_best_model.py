"""Trainings that are evaluated while they run: the best model is kept, and they end early."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import Training
from tests.optional import needs
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, write_stage
from train.options.best_model import best_line, held_out_note
from train.options.measures import measures
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

# So high a learning rate makes the held-out loss worse from some step on.
OPTIONS = (
    "per_device_train_batch_size: 2, per_device_eval_batch_size: 2, max_steps: 12, eval_steps: 1, learning_rate: 0.5, "
    "early_stopping: 2"
)
KINDS: dict[str, tuple[str, str, pl.DataFrame, str]] = {
    "sft": ("sft", "sft", sft_rows(14, held_out=4), ""),
    "dpo": ("preferences", "dpo", preference_rows(14, held_out=4), ""),
    "reward": ("preferences", "dpo", preference_rows(14, held_out=4), ""),
    "grpo": (
        "rl_prompts",
        "rl",
        rl_rows(8, held_out=2),
        ", num_generations: 2, max_completion_length: 4, rewards: [length]",
    ),
}


def trained(folder: Path, ref: ModelRef, trainer: str, more: str = "", rows: pl.DataFrame | None = None) -> Stage:
    table, dataset, given, further = KINDS[trainer]
    store = Store(folder / "store")
    stage = write_stage(store, table, given if rows is None else rows)
    sections = f"train:\n  t: {{trainer: {trainer}, dataset: {dataset}, model: student, {OPTIONS}{further}{more}}}\n"
    recipe = recipe_with(folder, sections)
    return train_recipe(recipe, store, {dataset: stage}, {"student": ref}, None, Progress())[0]


def metrics(stage: Stage) -> dict[str, Any]:
    return json.loads(stage.read("trainings")["metrics"][0])


@pytest.mark.parametrize("trainer", list(KINDS))
def test_the_model_kept_is_the_best_one(tmp_path: Path, ref: ModelRef, trainer: str):
    stage = trained(tmp_path / "stopped", ref, trainer, ", lora: {r: 2, lora_dropout: 0.0}")
    found = metrics(stage)
    best, metric = found["best"], "eval_reward" if trainer == "grpo" else "eval_loss"
    measured = {h["step"]: h[metric] for h in found["history"] if metric in h}
    top = (max if trainer == "grpo" else min)(measured.values())
    assert best["metric"] == metric and best["value"] == top
    assert best["step"] == next(step for step, value in measured.items() if value == top)
    steps = stage.read("trainings")["steps"][0]
    assert steps == max(measured) and list(measured) == list(range(1, steps + 1))
    given = Training(trainer=trainer, dataset="d", model="m", rewards=["length"] if trainer == "grpo" else [])
    evaluated = {name for h in found["history"] if metric in h for name in h if name.startswith("eval_")}
    assert {name.removeprefix("eval_") for name in evaluated} <= measures(given)
    if best["stopped_after"] is not None:
        assert best["stopped_after"] == 2 and steps == best["step"] + 2
    else:
        assert steps == 12
    assert f"best {metric} {top:.3f} at step {best['step']}" in stage.manifest["result"]


def test_full_weights_of_the_best_step_are_saved(tmp_path: Path, ref: ModelRef):
    from safetensors.torch import load_file

    stopped = trained(tmp_path / "stopped", ref, "sft")
    best = metrics(stopped)["best"]
    assert best["stopped_after"] == 2 and best["step"] < 12
    # A schedule that does not depend on the number of steps, so that a shorter training takes the same ones.
    constant = ", lr_scheduler_type: constant"
    stopped = trained(tmp_path / "constant", ref, "sft", constant)
    step = metrics(stopped)["best"]["step"]
    options = f"per_device_train_batch_size: 2, max_steps: {step}, learning_rate: 0.5, lr_scheduler_type: constant"
    store = Store(tmp_path / "constant" / "store")
    stage = next(s for one in store.stages() if (s := store.stage(one)) and "adapter" not in s.manifest)
    recipe = recipe_with(
        tmp_path / "short", f"train:\n  t: {{trainer: sft, dataset: sft, model: student, {options}}}\n"
    )
    short = train_recipe(recipe, store, {"sft": stage}, {"student": ref}, None, Progress())[0]
    kept, ended = (load_file(one.path / "model" / "model.safetensors") for one in (stopped, short))
    assert kept.keys() == ended.keys()
    for name, weights in kept.items():
        assert weights.allclose(ended[name], atol=1e-6), name


def test_another_measure_and_split_can_be_chosen(tmp_path: Path, ref: ModelRef):
    third = pl.when(pl.int_range(pl.len()) >= 12).then(pl.lit("val")).otherwise("split")
    rows = sft_rows(14, held_out=4).with_columns(split=third)
    store = Store(tmp_path / "store")
    stage = write_stage(store, "sft", rows)
    given = f"{OPTIONS}, metric_for_best_model: mean_token_accuracy, eval_split: test"
    recipe = recipe_with(tmp_path, f"train:\n  t: {{trainer: sft, dataset: sft, model: student, {given}}}\n")
    (done,) = train_recipe(recipe, store, {"sft": stage}, {"student": ref}, None, Progress())
    assert metrics(done)["best"]["metric"] == "eval_mean_token_accuracy"
    assert set(done.read("row_losses").filter(phase="eval")["row_id"]) == {"r_10", "r_11"}


def test_a_measure_that_an_option_leaves_out_is_named(tmp_path: Path, ref: ModelRef):
    with pytest.raises(UserError, match="eval_aux_loss.*not found in the evaluation metrics.*'eval_loss'"):
        trained(tmp_path, ref, "sft", ", metric_for_best_model: aux_loss")


def test_the_best_of_the_models_that_are_saved_is_kept(
    tmp_path: Path, ref: ModelRef, capfd: pytest.CaptureFixture[str]
):
    given = OPTIONS.replace("early_stopping: 2", "load_best_model_at_end: true, save_strategy: steps, save_steps: 2")
    given = given.replace("max_steps: 12", "max_steps: 3")  # the first step is the best, and is not saved
    store = Store(tmp_path / "store")
    stage = write_stage(store, "sft", sft_rows(14, held_out=4))
    recipe = recipe_with(tmp_path, f"train:\n  t: {{trainer: sft, dataset: sft, model: student, {given}}}\n")
    (done,) = train_recipe(recipe, store, {"sft": stage}, {"student": ref}, None, Progress())
    found = metrics(done)
    measured = {h["step"]: h["eval_loss"] for h in found["history"] if "eval_loss" in h}
    saved = {step: value for step, value in measured.items() if step > 1}
    best = min(saved, key=saved.__getitem__)
    assert list(measured) == [1, 2, 3] and min(measured.values()) < saved[best]
    assert (found["best"]["step"], found["best"]["value"]) == (best, saved[best])
    assert "missing keys" not in capfd.readouterr().err  # of a model whose embeddings are tied


def test_the_line_of_a_training_that_ended_early():
    best = {"metric": "eval_loss", "value": 1.2345, "step": 40, "stopped_after": 3, "threshold": 0.0}
    assert best_line(best) == "best eval_loss 1.234 at step 40, stopped after 3 evaluations without a better one"
    assert best_line(best | {"stopped_after": 1}).endswith("stopped after 1 evaluation without a better one")
    assert best_line(best | {"threshold": 0.1}).endswith("stopped after 3 evaluations, none better by 0.1")
    assert best_line(best | {"stopped_after": None}) == "best eval_loss 1.234 at step 40"


def test_models_that_are_compared_in_vain_are_told():
    rows = sft_rows(4, held_out=2).filter(split="test")
    given: dict[str, Any] = {"eval_strategy": "epoch", "metric_for_best_model": "loss"}
    training = Training(trainer="sft", dataset="d", model="m", **given)
    assert held_out_note(training, rows) == (
        ", evaluated on 2 rows of 'test', but the last model is kept (load_best_model_at_end: true keeps the best)"
    )


def test_the_part_that_is_trained_on_is_not_evaluated_on(tmp_path: Path, ref: ModelRef):
    with pytest.raises(UserError, match="eval_split: train is the part that is trained on; name another split"):
        trained(tmp_path, ref, "sft", ", eval_split: train")


def test_a_training_without_held_out_rows_is_refused(tmp_path: Path, ref: ModelRef):
    with pytest.raises(UserError, match=r"recipe.yaml:\d+: train.t: early_stopping is set, but all rows"):
        trained(tmp_path, ref, "sft", rows=sft_rows(4))
