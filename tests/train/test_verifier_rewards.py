"""A recipe whose GRPO is rewarded by the math verifier and by unit tests in the sandbox, on prompts of both kinds."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.storage.store import Store
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import recipe_with, turns, write_stage
from train.run import train_recipe

pytestmark = [
    needs("trl"),
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bwrap") is None, reason="bubblewrap is not installed"),
]

MATHS = ("reads six seven", "The answer is 42", "42")
CODE = ("writes f", "```python\nf = lambda x: x + 1\n```", json.dumps(["assert f(1) == 2", "assert f(4) == 5"]))
ESSAY = ("sings red", "red cat sings", None)
KINDS = (MATHS, CODE, ESSAY)


class Notes(Progress):
    """Records the messages."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def rows(column: str, values: list) -> pl.DataFrame:
    """A row of each kind, with one further column."""
    return pl.DataFrame(
        {
            "row_id": [f"r_{i}" for i in range(3)],
            "prompt_id": [f"p_{i}" for i in range(3)],
            "prompt": [turns("user", prompt) for prompt, _, _ in KINDS],
            column: values,
            "dataset": "d",
            "split": "train",
        }
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, tiny: Path):
    """The stage and the messages of a GRPO training, from a model that has learnt all three answers by heart."""
    folder = tmp_path_factory.mktemp("verifiers")
    sft = "per_device_train_batch_size: 3, max_steps: 100, learning_rate: 1e-2, lr_scheduler_type: constant"
    grpo = (
        "num_generations: 8, per_device_train_batch_size: 24, max_steps: 2, max_completion_length: 48, "
        "learning_rate: 1e-3, temperature: 1.5, reward_weights: [1.0, 0.5]"
    )
    sections = (
        f"train:\n  s: {{trainer: sft, dataset: sft, model: student, {sft}}}\n"
        f"  g: {{trainer: grpo, dataset: rl, model: s, {grpo}, rewards: [math, code]}}\n"
    )
    store, notes = Store(folder / "store"), Notes()
    datasets = {
        "sft": write_stage(store, "sft", rows("completion", [turns("assistant", answer) for _, answer, _ in KINDS])),
        "rl": write_stage(store, "rl_prompts", rows("ground_truth", [truth for _, _, truth in KINDS])),
    }
    models = {"student": ModelRef("student", "tiny@0", str(tiny))}
    return train_recipe(recipe_with(folder, sections), store, datasets, models, None, notes)[1], notes.said


def test_each_verifier_judges_its_own_prompts(trained):
    found = {key: part for key, part in trained[0].read("rollouts").group_by("row_id", "reward")}
    maths, code = found["r_0", "math"], found["r_1", "code"]
    right = maths["response"] == MATHS[1]
    assert right.any() and (maths["value"].filter(right) == 1.0).all()
    right = code["response"] == CODE[1]
    assert right.any() and (code["value"].filter(right) == 1.0).all()
    assert (code["value"] < 1.0).any() or (maths["value"] < 1.0).any()
    for key in (("r_0", "code"), ("r_2", "math"), ("r_2", "code")):  # numbers are no unit tests
        assert found[key]["value"].null_count() == 16 and found[key]["error"].null_count() == 0
    assert (found["r_1", "math"]["value"].fill_null(0.0) == 0.0).all()  # unit tests are no number


def test_advantages_are_of_the_weighted_sums(trained):
    rollouts = trained[0].read("rollouts")
    weight = pl.when(pl.col("reward") == "math").then(1.0).otherwise(0.5)
    answers = (
        rollouts.with_columns(weighted=pl.col("value") * weight)
        .group_by("step", "row_id", "sample_index", maintain_order=True)
        .agg(
            pl.col("weighted").sum(),
            pl.col("advantage").first(),
            none=pl.col("value").is_null().all(),
            same=pl.col("advantage").n_unique() == 1,
        )
    )
    mean, spread = pl.col("weighted").mean(), pl.col("weighted").std()
    expected = ((pl.col("weighted") - mean) / (spread + 1e-4)).over("step", "row_id")
    answers = answers.with_columns(expected=pl.when("none").then(0.0).otherwise(expected))
    assert answers["same"].all() and (answers["advantage"] != 0).any()
    assert (answers["advantage"] - answers["expected"]).abs().max() < 1e-4  # type of TRL's: float32
    history = json.loads(trained[0].read("trainings")["metrics"][0])["history"]
    means = answers.filter(~pl.col("none")).group_by("step").agg(pl.col("weighted").mean()).sort("step")
    assert means["weighted"].to_list() == pytest.approx([entry["reward"] for entry in history], abs=1e-5)


def test_what_no_verifier_judges_is_counted_and_said(trained):
    stage, said = trained
    learnt = json.loads(stage.read("trainings")["metrics"][0])["learnt"]
    assert (learnt["answers"], learnt["unrewarded"], learnt["groups"], learnt["prompts"]) == (48, 16, 6, 3)
    assert learnt["flat_groups"] >= 2 and learnt["flat_prompts"] >= 1 and learnt["flat_samplings"] == 0
    text = "\n".join(said)
    assert "train g: 16 of 48 answers have no reward at all, so nothing is learnt from them" in text
    assert "train g: the reward code has no value for 32 of 48 answers: 16 x no" in text
    assert f"train g: {learnt['flat_groups']} of 6 groups taught nothing" in text
