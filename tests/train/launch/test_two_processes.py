"""Two processes on the CPU give the losses, the weights and the records of one with the same batch, for each trainer.

What cannot be compared: dropout and sampling, as the processes' random numbers differ (so answers are at fixed
quantiles here), and a last batch that is not full, which is filled up.
"""

import importlib
import json
import os
import subprocess
import sys
from contextlib import ExitStack, chdir
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from curate.models.model_ref import ModelRef
from schemas.progress import Progress
from tests.conftest import livelier
from tests.optional import needs
from tests.train.examples.templates import LAST_LONGER, with_template
from tests.train.tables import preference_rows, recipe_with, rl_rows, sft_rows, two_answer_rows, unpaired_rows
from train.answer_scorers import answer_scorers
from train.job import Outcome, TrainingJob
from train.launch.channel import listening
from train.launch.job_file import write_job
from train.launch.launcher import environment, for_device
from train.launch.processes import Processes
from train.launch.run_trainer import run_trainer
from train.options.best_model import effective_settings
from train.options.options import lora_options
from train.plan import split_rows

pytestmark = [needs("trl"), pytest.mark.slow]

FULL = "max_steps: 3, learning_rate: 1e-2, report_to: none"
LORA = f"{FULL}, lora: {{r: 4, lora_dropout: 0}}"
EVALUATED = "eval_strategy: steps, eval_steps: 2, per_device_eval_batch_size"
ONLINE = f"{LORA}, num_generations: 4, max_completion_length: 6, rewards: [own.uneven], beta: 0.1"
OWN = """
def uneven(response):
    return response.str.len_bytes() % 7 + response.str.count_matches("e")
"""
DATA: dict[str, tuple[str, pl.DataFrame]] = {
    "sft": ("sft", sft_rows(28, held_out=4)),
    # 15 sequences of 10 rows: the second batch of an epoch is filled up.
    "turns": ("sft", two_answer_rows(10)),
    "dpo": ("dpo", preference_rows(24)),
    "kto": ("kto", unpaired_rows(24)),
    "reward": ("dpo", preference_rows(24)),
    "grpo": ("rl", rl_rows(10, held_out=4)),
    "rloo": ("rl", rl_rows(6)),
    "distill": ("rl", rl_rows(24)),
}
OPTIONS = {
    "sft": f"trainer: sft, {LORA}, {EVALUATED}: 4",
    "turns": f"trainer: sft, {LORA}",
    "dpo": f"trainer: dpo, {LORA}",
    "kto": f"trainer: kto, {FULL}",
    "reward": f"trainer: reward, {LORA}",
    "grpo": f"trainer: grpo, {ONLINE}, {EVALUATED}: 8",
    "rloo": f"trainer: rloo, {ONLINE}",
    "distill": f"trainer: distill, teacher: big, {LORA}, max_completion_length: 6",
}
EVEN = {"turns": 1}  # the steps before the first one whose batch is filled up
# Of a clock; and the mean of the means of batches, which are half as large.
UNLIKE = ("runtime", "per_second", "step_time", "eval_loss")
KEY = ["step", "phase", "row_id"]


def job(name: str, folder: Path, models: Path, processes: int) -> TrainingJob:
    """Return one of the trainings, with 8 rows a step."""
    dataset, rows = DATA[name]
    options = f"{{dataset: {dataset}, model: student, {OPTIONS[name]}, per_device_train_batch_size: 8}}"
    recipe = recipe_with(folder, f"train:\n  t: {options}\n", models="big: tiny")
    training = recipe.train["t"]
    settings = effective_settings(training)
    settings |= {key: value // processes for key, value in settings.items() if key.startswith("per_device")}
    train, held_out = split_rows(rows)
    refs = {one: ModelRef(one, f"{one}@0", str(models / one)) for one in ("student", "big")}
    work = folder / "work"
    work.mkdir()
    return TrainingJob(
        name=name,
        trainer=training.trainer,
        ref=refs["student"],
        rows=train,
        eval_rows=held_out,
        settings=settings,
        lora=lora_options(training),
        rewards=answer_scorers(recipe, training.rewards, "t"),
        seed=3,
        work_folder=work,
        progress=Progress(),
        teacher=refs["big"] if training.teacher else None,
    )


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    """A folder with the student, whose template prints earlier answers otherwise, and its teacher."""
    folder = tmp_path_factory.mktemp("models")
    livelier(tiny, folder / "lively")
    with_template(folder / "lively", folder / "student", LAST_LONGER)
    livelier(tiny, folder / "big", hidden_size=64)
    return folder


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory, models: Path) -> dict[str, tuple[Outcome, Path]]:
    """The outcome of each training in two processes of batches of 4, which are started once, and its model's folder."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "own.py").write_text(OWN)
    config = for_device({"num_processes": 2, "distributed_type": "MULTI_GPU"}, on_cpu=True)
    (folder / "accelerate.json").write_text(json.dumps(config))
    found = {}
    with chdir(folder), ExitStack() as stack:
        jobs, listeners = {}, {}
        for name in DATA:
            (folder / name).mkdir()
            jobs[name] = job(name, folder / name, models, 2)
            write_job(jobs[name], folder / name)
            listeners[name] = stack.enter_context(listening())
        listed = [[str(folder / n), str(folder / n / "model"), listeners[n].getsockname()] for n in DATA]
        script = str(Path(__file__).parent / "several_jobs.py")
        command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", "accelerate.json", script]
        launcher = subprocess.Popen([*command, json.dumps(listed)], env=environment(dict(os.environ), 2, on_cpu=True))
        for name, listener in listeners.items():
            outcome = Processes(jobs[name], 2, listener, launcher, folder / name).outcome_of_all()
            found[name] = outcome, folder / name / "model"
        assert launcher.wait() == 0
    return found


@pytest.mark.parametrize("name", list(DATA))
def test_two_processes_give_what_one_gives(tmp_path, monkeypatch, models, of_two, name):
    monkeypatch.setattr("torch.multinomial", importlib.import_module("tests.train.launch.sampling").at_quantiles)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN)
    one = run_trainer(job(name, tmp_path, models, 1), tmp_path / "model", None)
    two, folder = of_two[name]
    even = EVEN.get(name, 3)  # the steps that are equal
    assert one.steps == two.steps == 3
    assert_frame_equal(two.fates, one.fates)
    assert set(one.fates["fate"]) == {"trained"} and two.learnt == one.learnt

    logs = [[e for e in o.metrics["history"] if e["step"] <= even] for o in (one, two)]
    assert len(logs[0]) == len(logs[1]) >= even
    for entry, other in zip(*logs, strict=True):
        assert untimed(other) == pytest.approx(untimed(entry), rel=2e-4, abs=2e-5), entry["step"]
    assert any(abs(e.get("loss", 0)) + e.get("grad_norm", 0) > 1e-4 for e in logs[0])

    for table in ("row_losses", "rollouts"):
        found, expected = (ordered(getattr(o, table)) for o in (two, one))
        assert_frame_equal(found.select(KEY), expected.select(KEY))  # those that fill a batch up are not there
        first = pl.col("step") <= even
        assert_frame_equal(found.filter(first), expected.filter(first), rel_tol=2e-3, abs_tol=2e-5)
    assert one.row_losses.height + one.rollouts.height >= 24 if even == 3 else one.row_losses.height

    weights = [weights_in(one_folder) for one_folder in (tmp_path / "model", folder)]
    assert weights[0].keys() == weights[1].keys()
    if even == 3:
        for key, value in weights[0].items():
            assert value.allclose(weights[1][key], atol=2e-4), key
    assert sorted(f.name for f in folder.iterdir()) == sorted(f.name for f in (tmp_path / "model").iterdir())


def ordered(rows: pl.DataFrame) -> pl.DataFrame:
    """Recorded rows by step, phase and id; of one row by its answers."""
    further = [name for name in ("sample_index", "reward") if name in rows.columns]
    return rows.sort(*KEY, *further)


def untimed(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the log without what is not the same."""
    return {key: value for key, value in entry.items() if not any(word in key for word in UNLIKE)}


def weights_in(folder: Path) -> dict[str, Any]:
    """The weights in a model's folder."""
    from safetensors.torch import load_file

    (file,) = folder.glob("*model.safetensors")
    return load_file(file)
