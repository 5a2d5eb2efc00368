"""On-policy distillation: TRL's losses to the last digit, every answer recorded, and what is refused."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.rows import ROLLOUTS, ROW_LOSSES
from tests.conftest import livelier
from tests.optional import needs
from tests.said import Said
from tests.train.tables import PLAIN_TRL, recipe_with, rl_rows, sft_rows, turns, write_stage
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

OPTIONS = "per_device_train_batch_size: 2, max_steps: 2, learning_rate: 1e-2, max_completion_length: 6"
DISTILL = f"  d: {{trainer: distill, dataset: rl, model: student, teacher: big, {OPTIONS}}}\n"


@pytest.fixture(scope="module")
def teacher(tiny: Path, tmp_path_factory) -> ModelRef:
    """A wider model with the tokenizer of the tiny one."""
    return ModelRef("big", "big@0", str(livelier(tiny, tmp_path_factory.mktemp("big"), hidden_size=64)))


def distilled(tmp_path, store, refs, trainings=DISTILL, rows=None, progress=None):
    """Do a recipe's trainings and return their stages."""
    recipe = recipe_with(tmp_path / "recipes", f"train:\n{trainings}", models="big: tiny")
    datasets = {"rl": write_stage(store, "rl_prompts", rl_rows(6) if rows is None else rows)}
    if "dataset: sft" in trainings:
        datasets["sft"] = write_stage(store, "sft", sft_rows(6))
    return train_recipe(recipe, store, datasets, refs, None, progress or Progress())


def plain_losses(folder: Path, student: ModelRef, teacher: ModelRef, rows: pl.DataFrame, *, lora: bool) -> list[float]:
    """Return the losses of a plain script with TRL on the same prompts."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import DistillationConfig, DistillationTrainer

    model, big = (AutoModelForCausalLM.from_pretrained(m.location, dtype=torch.float32) for m in (student, teacher))
    tokenizer = AutoTokenizer.from_pretrained(student.location, padding_side="left")
    config = DistillationConfig(
        str(folder),
        per_device_train_batch_size=2,
        gradient_accumulation_steps=2,
        max_steps=2,
        learning_rate=1e-2,
        max_completion_length=6,
        **PLAIN_TRL,
    )
    adapter = LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=32, lora_dropout=0.05, target_modules="all-linear")
    trainer = DistillationTrainer(
        model,
        big,
        config,
        processing_class=tokenizer,
        train_dataset=Dataset.from_list([{"prompt": json.loads(text)} for text in rows["prompt"]]),
        peft_config=adapter if lora else None,
    )
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.parametrize("lora", [False, True])
def test_losses_are_those_of_plain_trl_to_the_last_digit(tmp_path, store, ref, teacher, lora):
    adapter = ", lora: {r: 4}" if lora else ""
    text = DISTILL.replace("max_steps", f"gradient_accumulation_steps: 2{adapter}, max_steps")
    (stage,) = distilled(tmp_path, store, {"student": ref, "big": teacher}, text)
    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    losses = [entry["loss"] for entry in history]
    assert losses == plain_losses(tmp_path / "plain", ref, teacher, rl_rows(6), lora=lora)
    # The recorded figures of the answers add up to TRL's own.
    answers = stage.read("row_losses")
    assert list(answers.columns) == list(ROW_LOSSES) and answers["step"].to_list() == [1] * 4 + [2] * 4
    tokens = pl.col("tokens").sum()
    means = {name: (pl.col(name) * pl.col("tokens")).sum() / tokens for name in ("loss", "entropy")}
    by_step = answers.group_by("step", maintain_order=True).agg(**means)
    assert by_step["loss"].to_list() == pytest.approx(losses, rel=1e-5)
    assert by_step["entropy"][0] == pytest.approx(history[0]["entropy"], rel=0.02)  # TRL's is a mean of means
    rollouts = stage.read("rollouts")
    assert list(rollouts.columns) == list(ROLLOUTS) and rollouts["reward"].unique().to_list() == ["divergence"]
    assert rollouts["value"].to_list() == answers["loss"].to_list()
    assert rollouts["prompt_id"].to_list() == [one.replace("r_", "p_") for one in rollouts["row_id"]]
    assert rollouts["response"].str.len_chars().min() > 0
    saved = "adapter_model.safetensors" if lora else "model.safetensors"
    assert (stage.path / "model" / saved).exists()


def test_the_teacher_may_be_a_training_of_the_recipe(tmp_path, store, ref):
    said = Said()
    trainings = (
        f"  s: {{trainer: sft, dataset: sft, model: student, lora: {{r: 4}}, max_steps: 4, learning_rate: 1e-1}}\n"
        f"  d: {{trainer: distill, dataset: rl, model: student, teacher: s, {OPTIONS}}}\n"
    )
    again = f"{OPTIONS.replace('max_steps: 2', 'max_steps: 1')}, lora: true"
    trainings += f"  e: {{trainer: distill, dataset: rl, model: d, teacher: d, {again}}}\n"
    _, stage, own = distilled(tmp_path, store, {"student": ref}, trainings, progress=said)
    first = stage.read("rollouts").filter(step=1)
    assert (first["value"] > 1e-4).all(), "the teacher has its adapter merged, so it differs from the student"
    assert own.read("rollouts")["value"].abs().max() < 1e-5, "a model does not diverge from itself"
    assert said.lines == []
    assert own.manifest["what"]["teacher"] == f"tiny@0>{stage.stage_id}"


def test_the_fate_of_each_prompt_and_the_held_out_ones(tmp_path, store, ref, teacher):
    long = turns("user", "answer " * 300)
    rows = rl_rows(8, held_out=2)
    rows = rows.with_columns(prompt=pl.when(pl.col("row_id") == "r_1").then(pl.lit(long)).otherwise("prompt"))
    text = DISTILL.replace("max_steps", "eval_strategy: steps, eval_steps: 1, max_steps")
    (stage,) = distilled(tmp_path, store, {"student": ref, "big": teacher}, text, rows)
    fates = dict(stage.read("training_rows").select("row_id", "fate").rows())
    assert "leaves no room for an answer" in fates.pop("r_1")
    assert sorted(fates.values()) == ["not reached before the last step"] + ["trained"] * 4
    losses = stage.read("row_losses")
    evaluated = losses.filter(phase="eval").select("step", "row_id").sort("step", "row_id").rows()
    assert evaluated == [(1, "r_6"), (1, "r_7"), (2, "r_6"), (2, "r_7")]
    assert losses.filter(phase="train").height == 4


def other_vocabulary(tiny: Path, folder: Path, *, size: int | None) -> ModelRef:
    """Return the tiny model with two tokens that have changed places, or with further outputs."""
    shutil.copytree(tiny, folder)
    file = folder / ("tokenizer.json" if size is None else "config.json")
    held = json.loads(file.read_text())
    if size is None:
        vocab = held["model"]["vocab"]
        vocab["a"], vocab["b"] = vocab["b"], vocab["a"]
    else:
        held["vocab_size"] = size
    file.write_text(json.dumps(held))
    return ModelRef("big", "other@0", str(folder))


@pytest.mark.parametrize(
    ("size", "differ"), [(None, "is 'a' in one and 'b' in the other (2 tokens differ)"), (400, " and 400 tokens")]
)
def test_another_vocabulary_is_refused_before_a_model_is_loaded(tmp_path, store, ref, tiny, size, differ):
    other = other_vocabulary(tiny, tmp_path / "other", size=size)
    (tmp_path / "other" / "model.safetensors").unlink()
    with pytest.raises(UserError) as error:
        distilled(tmp_path, store, {"student": ref, "big": other})
    assert ": train.d: 'student' and its teacher 'big' have different vocabularies: " in str(error.value)
    assert differ in str(error.value)


@pytest.mark.parametrize(
    ("training", "rows", "message"),
    [
        (DISTILL, rl_rows(1), "train.d: 1 prompts are fewer than the 2 of one step"),
        (DISTILL, rl_rows(2).with_columns(tools=pl.lit("[]")), "column tools: TRL would not show a row's tools"),
        (DISTILL.replace("teacher: big, ", ""), rl_rows(2), "the trainer 'distill' needs 'teacher', such as"),
        (DISTILL.replace("teacher: big", "teacher: bog"), rl_rows(2), "'bog'; did you mean 'big'?"),
        (DISTILL.replace("max_steps", "beta: 2, max_steps"), rl_rows(2), "beta must be in [0.0, 1.0], got 2"),
        (DISTILL.replace("max_steps", "teacher_model_revision: x, max_steps"), rl_rows(2), "'teacher'"),
    ],
)
def test_mistakes_are_told_in_one_line(tmp_path, store, ref, teacher, training, rows, message):
    with pytest.raises(UserError) as error:
        distilled(tmp_path, store, {"student": ref, "big": teacher}, training, rows)
    assert message in str(error.value)


def test_a_teacher_behind_a_server_is_refused(tmp_path, store, ref):
    served = ModelRef("big", "big@0", "big", "openai")
    with pytest.raises(UserError, match="the model 'big' is behind a server .* be asked for the probabilities"):
        distilled(tmp_path, store, {"student": ref, "big": served})


def test_figures_of_tokens_are_summed_by_answer():
    import torch

    from train.online.distilled_answers import _by_answer

    mask = torch.tensor([[True, True, False], [True, False, False]])
    assert _by_answer(torch.tensor([1.0, 2.0, 0.0, 3.0, 0.0, 0.0]), mask).tolist() == [3.0, 3.0]
    assert _by_answer(torch.tensor([1.0, 2.0, 3.0]), mask).tolist() == [
        3.0,
        3.0,
    ]  # on a GPU: of the answers' tokens only
