"""A training with early stopping, killed at five moments, ends as the undisturbed one: log, best model, weights.

``benchmarks/resume.py`` does this at random moments, for every trainer.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.progress import Progress
from tests.optional import needs
from tests.train.tables import recipe_with, sft_rows, write_stage
from train.checkpoints import RECORD, prune, resume_point
from train.run import train_recipe

# No evaluation is better by so much, so the training ends after the fourth; each is a little better, and the best.
SECTIONS = (
    "train:\n  t: {trainer: sft, dataset: sft, model: student, lora: {r: 4}, per_device_train_batch_size: 2, "
    "max_steps: 9, learning_rate: 1e-2, early_stopping: {patience: 3, threshold: 100.0}, eval_steps: 1, "
    "save_strategy: steps, save_total_limit: 1}\n"
)
# By name: the moment, and what the resumed training says.
MOMENTS = {
    "a step is done": ("3", "2"),
    "a checkpoint is written": ("open .*/checkpoint-3/trainer_state.json", "2"),
    "a checkpoint gets its record": ("os.rename .*/checkpoint-3/.record.parquet", "2"),
    "an older checkpoint is removed": ("os.remove .*/checkpoint-1/record.parquet", "2"),
    "the model is saved": ("open .*/model/adapter_config.json", "3"),
}
TIMED = ("eval_runtime", "eval_samples_per_second", "eval_steps_per_second")


class Notes(Progress):
    """Records the messages."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def finished(folder: Path, tiny: Path) -> tuple[Stage, list[str]]:
    """Train to the end on the only stage of the store in ``folder``; returns also the lines said."""
    store, notes = Store(folder / "store"), Notes()
    with store.lock():
        stage = store.stage(next(iter(store.stages())))
        assert stage
        recipe = recipe_with(folder, SECTIONS, models="big: tiny")
        models = {"student": ModelRef("student", "tiny@0", str(tiny)), "big": ModelRef("big", "big@0", str(tiny))}
        (done,) = train_recipe(recipe, store, {"sft": stage}, models, None, notes)
    return done, notes.said


def ended_with(stage: Stage) -> dict:
    """Return all that a training ended with."""
    from safetensors.torch import load_file

    metrics = json.loads(stage.read("trainings")["metrics"][0])
    return {
        "log": [{k: v for k, v in entry.items() if k not in TIMED} for entry in metrics["history"]],
        "best": metrics["best"],
        "losses": stage.read("row_losses").rows(),
        "weights": {k: v.tolist() for k, v in load_file(stage.path / "model" / "adapter_model.safetensors").items()},
        "result": stage.manifest["result"],
    }


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A folder a moment, whose store holds what the training killed then left; and one that nothing befell."""
    folder, jobs = tmp_path_factory.mktemp("killed"), []
    for name in (*MOMENTS, "whole"):
        write_stage(Store(folder / name / "store"), "sft", sft_rows(14, held_out=4))
        if name != "whole":
            jobs.append((str(folder / name), "sft", MOMENTS[name][0], SECTIONS))
    process = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "killed_training.py"), str(tiny), json.dumps(jobs)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout.splitlines()[-1]) == [-signal.SIGKILL] * len(MOMENTS), process.stderr
    return folder


@needs("trl")
@pytest.mark.slow
def test_a_training_killed_at_any_moment_ends_as_if_not(killed: Path, tiny: Path):
    whole, said = finished(killed / "whole", tiny)
    expected = ended_with(whole)
    assert said == [] and expected["best"]["stopped_after"] == 3
    assert whole.read("trainings")["steps"][0] == expected["best"]["step"] == 4
    for name, (_, step) in MOMENTS.items():
        resumed, said = finished(killed / name, tiny)
        assert said == [f"train t: continuing after step {step}"], name
        assert ended_with(resumed) == expected, name
        assert list((killed / name / "store" / "work").iterdir()) == []


def checkpoint(folder: Path, step: int, *, whole: bool = True, stopped: bool = False) -> Path:
    """Write the files of a checkpoint of a training of ten steps that decide about it."""
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    control = {"TrainerControl": {"args": {"should_training_stop": stopped}}}
    state = {"global_step": step, "max_steps": 10, "stateful_callbacks": control}
    (made / "trainer_state.json").write_text(json.dumps(state))
    if whole:
        (made / RECORD).touch()
    return made


def steps(folder: Path) -> list[int]:
    return sorted(int(one.name.split("-")[1]) for one in folder.iterdir())


def test_what_would_be_written_again_is_removed_first(tmp_path: Path):
    for step in (2, 4):
        checkpoint(tmp_path, step)
    checkpoint(tmp_path, 6, whole=False)  # killed while it was written
    checkpoint(tmp_path, 8, stopped=True)  # the training ended early there
    assert resume_point(tmp_path) == tmp_path / "checkpoint-4"
    assert steps(tmp_path) == [2, 4]
    (tmp_path / "checkpoint-2" / RECORD).unlink()
    (tmp_path / "checkpoint-4" / RECORD).unlink()
    assert resume_point(tmp_path) is None and steps(tmp_path) == []


def test_the_best_and_the_one_to_resume_from_are_kept(tmp_path: Path):
    for step in (1, 2, 3, 4):
        checkpoint(tmp_path, step)
    prune(tmp_path, None, None)
    assert steps(tmp_path) == [1, 2, 3, 4]
    prune(tmp_path, 1, str(tmp_path / "checkpoint-2"))
    assert steps(tmp_path) == [2, 4]
    checkpoint(tmp_path, 5, stopped=True)  # nothing can be resumed from it, so 4 stays
    prune(tmp_path, 1, str(tmp_path / "checkpoint-2"))
    assert steps(tmp_path) == [2, 4, 5]
