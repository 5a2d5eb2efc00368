"""A training that is killed resumes from its last checkpoint and ends with the same weights."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.progress import Progress
from tests.conftest import livelier
from tests.optional import needs
from tests.train.examples.templates import LAST_LONGER, with_template
from tests.train.killed_training import models_of
from tests.train.tables import (
    preference_rows,
    recipe_with,
    rl_rows,
    sft_rows,
    two_answer_rows,
    unpaired_rows,
    write_stage,
)
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

OPTIONS = (
    "lora: {r: 4}, per_device_train_batch_size: 2, max_steps: 5, learning_rate: 1e-2, "
    "save_strategy: steps, save_steps: 2"
)
FULL = OPTIONS.removeprefix("lora: {r: 4}, ")
PISSA = OPTIONS.replace("{r: 4}", "{r: 4, init_lora_weights: pissa_niter_4}")
SHORT = "num_generations: 2, max_completion_length: 6, rewards: [length]"
KINDS = {
    "sft": ("sft", sft_rows(8), f"{{trainer: sft, dataset: sft, model: student, {OPTIONS}}}"),
    # The frozen weights are changed by a random decomposition, which has to be the same one.
    "pissa": ("sft", sft_rows(8), f"{{trainer: sft, dataset: sft, model: student, {PISSA}}}"),
    # Each answer of a row is a sequence of its own.
    "turns": ("sft", two_answer_rows(8), f"{{trainer: sft, dataset: sft, model: student, {OPTIONS}}}"),
    "dpo": ("preferences", preference_rows(8), f"{{trainer: dpo, dataset: dpo, model: student, {OPTIONS}}}"),
    # The reference follows the model after each step.
    "synced": (
        "preferences",
        preference_rows(8),
        f"{{trainer: dpo, dataset: dpo, model: student, {FULL}, sync_ref_model: true, ref_model_sync_steps: 1}}",
    ),
    "kto": ("unpaired", unpaired_rows(8), f"{{trainer: kto, dataset: kto, model: student, {OPTIONS}}}"),
    "rl": (
        "rl_prompts",
        rl_rows(8),
        f"{{trainer: grpo, dataset: rl, model: student, {OPTIONS}, num_generations: 2, "
        f"max_completion_length: 6, rewards: [length]}}",
    ),
    "rloo": ("rl_prompts", rl_rows(8), f"{{trainer: rloo, dataset: rl, model: student, {OPTIONS}, {SHORT}}}"),
    # Killed after step 3, resumed after step 2: in the middle of the answers that steps 1 to 4 learn from.
    "reused": (
        "rl_prompts",
        rl_rows(8),
        f"{{trainer: grpo, dataset: rl, model: student, {OPTIONS}, {SHORT}, steps_per_generation: 2, "
        f"num_iterations: 2}}",
    ),
    "ppo": ("rl_prompts", rl_rows(8), f"{{trainer: ppo, dataset: rl, model: student, {OPTIONS}, {SHORT}, beta: 0.3}}"),
    # Four samplings a step, each of half of its answers, and answers to held-out prompts after each step.
    "several": (
        "rl_prompts",
        rl_rows(42, held_out=2),
        f"{{trainer: grpo, dataset: rl, model: student, {OPTIONS}, {SHORT}, gradient_accumulation_steps: 4, "
        f"steps_per_generation: 1, eval_strategy: steps, eval_steps: 1, per_device_eval_batch_size: 2}}",
    ),
    "reward": ("preferences", preference_rows(8), f"{{trainer: reward, dataset: dpo, model: student, {OPTIONS}}}"),
    "distill": (
        "rl_prompts",
        rl_rows(8),
        f"{{trainer: distill, dataset: rl, model: student, teacher: big, {OPTIONS}, max_completion_length: 6}}",
    ),
    "orpo": (
        "preferences",
        preference_rows(8),
        f"{{trainer: trl.experimental.orpo, dataset: dpo, model: student, {OPTIONS}}}",
    ),
}
ONLINE = ("rl", "rloo", "reused", "ppo", "several")
SAYS = ("distill", "orpo")  # something of their own before they resume: of the teacher's template, of the trainer


class Notes(Progress):
    """Records the messages."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def sections(name: str) -> str:
    return f"train:\n  t: {KINDS[name][2]}\n"


def dataset(name: str) -> str:
    pairs = {"reward": "dpo", "synced": "dpo", "orpo": "dpo", "turns": "sft", "pissa": "sft"}
    return pairs.get(name, "rl" if name in (*ONLINE, "distill") else name)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """The tiny model with a template that prints earlier answers otherwise; its teacher is beside it."""
    folder = tmp_path_factory.mktemp("resume")
    livelier(tiny, folder / "big", hidden_size=64)
    return with_template(tiny, folder / "model", LAST_LONGER)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A folder a kind, whose store holds what a training killed after step 3 left."""
    folder = tmp_path_factory.mktemp("killed")
    jobs = []
    for name, (table, rows, _) in KINDS.items():
        write_stage(Store(folder / name / "store"), table, rows)
        jobs.append((str(folder / name), dataset(name), "3", sections(name)))
    script = str(Path(__file__).parent / "killed_training.py")
    process = subprocess.run(
        [sys.executable, script, str(model), json.dumps(jobs)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(KINDS), process.stderr
    return folder


@pytest.mark.parametrize("name", list(KINDS))
def test_a_training_killed_after_step_three_ends_as_if_not(tmp_path: Path, model: Path, killed: Path, name: str):
    folders = {"whole": tmp_path, "killed": killed / name}
    write_stage(Store(tmp_path / "store"), *KINDS[name][:2])
    done, said = {}, {}
    for side, folder in folders.items():
        store, notes = Store(folder / "store"), Notes()
        with store.lock():  # clears away the stage that was being written
            stage = store.stage(next(iter(store.stages())))
            assert stage
            recipe = recipe_with(folder, sections(name), models="big: tiny")
            done[side] = train_recipe(recipe, store, {dataset(name): stage}, models_of(str(model)), None, notes)[0]
        resumed = ["train t: continuing after step 2"] if side == "killed" else []
        assert notes.said[: len(resumed)] == resumed or name in SAYS
        said[side] = [line for line in notes.said if line not in resumed]
        assert len(said[side]) == len(notes.said) - len(resumed)
        assert list((store.path / "work").iterdir()) == []
    whole, resumed = done["whole"], done["killed"]
    assert resumed.stage_id == whole.stage_id
    assert said["killed"] == said["whole"] and (name in (*ONLINE, *SAYS) or said["whole"] == [])
    assert losses(resumed) == pytest.approx(losses(whole), abs=1e-5)
    for recorded in recorded_tables(name):
        assert_frame_equal(resumed.read(recorded), whole.read(recorded), abs_tol=1e-5)
        steps = [1, 5] if name in ("reused", "ppo") else [1, 2, 3, 4, 5]
        assert resumed.read(recorded)["step"].unique().sort().to_list() == steps
    assert_frame_equal(resumed.read("training_rows"), whole.read("training_rows"))
    assert weights(resumed.path).keys() == weights(whole.path).keys()
    for key, value in weights(whole.path).items():
        assert value.allclose(weights(resumed.path)[key], atol=1e-5), key


def recorded_tables(name: str) -> list[str]:
    """Return the tables that a kind of training records at each step."""
    if name in SAYS:
        return ["rollouts", "row_losses"] if name == "distill" else []
    return ["rollouts" if name in ONLINE else "row_losses"]


def losses(stage: Stage) -> list[float]:
    """Return the losses that TRL logged, of a whole training."""
    history = json.loads(stage.read("trainings")["metrics"][0])["history"]
    return [entry["loss"] for entry in history if "loss" in entry]


def weights(stage: Path) -> dict:
    from safetensors.torch import load_file

    (file,) = (stage / "model").glob("*model.safetensors")
    return load_file(file)


def test_only_a_whole_checkpoint_with_steps_left_is_resumed(tmp_path: Path):
    from train.checkpoints import RECORD, last_checkpoint

    assert last_checkpoint(tmp_path) is None
    for step in (2, 10, 12, 14):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text(f'{{"global_step": {step}, "max_steps": 14}}')
        if step != 12:  # killed while it wrote that one
            pl.DataFrame({"step": [step]}).write_parquet(folder / RECORD)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
