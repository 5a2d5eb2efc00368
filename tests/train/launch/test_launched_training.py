"""A recipe's training in two processes: killed with all its processes, resumed, in the end as if in one process."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from curate.storage.stage import Stage
from curate.storage.store import Store
from tests.optional import needs
from tests.train.killed_training import models_of
from tests.train.tables import recipe_with, sft_rows, write_stage
from tests.train.test_resume import Notes
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

OPTIONS = (
    "trainer: sft, dataset: sft, model: student, lora: {r: 4, lora_dropout: 0}, max_steps: 4, learning_rate: 1e-2, "
    "save_strategy: steps, save_steps: 2, eval_strategy: steps, eval_steps: 2, load_best_model_at_end: true, "
    "report_to: none, per_device_eval_batch_size: 2"
)
ONE = f"train:\n  t: {{{OPTIONS}, per_device_train_batch_size: 8}}\n"
TWO = f"train:\n  t: {{{OPTIONS}, per_device_train_batch_size: 4, launch: {{config: two.yaml}}}}\n"
KILLED = (
    "import sys; from pathlib import Path; from tests.train.killed_training import train; train(Path(sys.argv[1]), {})"
)


def trained(folder: Path, model: Path, sections: str) -> tuple[Stage, list[str]]:
    """Do the training; return its stage and what was said."""
    store, notes = Store(folder / "store"), Notes()
    with store.lock():
        stage = store.stage(next(iter(store.stages())))
        assert stage
        recipe = recipe_with(folder, sections)
        (done,) = train_recipe(recipe, store, {"sft": stage}, models_of(str(model)), None, notes)
    assert list((store.path / "work").iterdir()) == []
    return done, notes.said


def test_it_resumes_and_ends_as_if_in_one_process(tmp_path: Path, tiny: Path):
    folders = {name: tmp_path / name for name in ("one", "two")}
    for folder in folders.values():
        write_stage(Store(folder / "store"), "sft", sft_rows(36, held_out=4))
    (folders["two"] / "two.yaml").write_text("distributed_type: MULTI_CPU\nnum_processes: 2\n")
    script = KILLED.format(f"{str(tiny)!r}, 'sft', '3', {TWO!r}")
    command = [sys.executable, "-c", script, str(folders["two"])]
    killed = subprocess.run(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    assert killed.returncode == -signal.SIGKILL
    wait_for_those_of(folders["two"])
    (work,) = (folders["two"] / "store" / "work").iterdir()
    held = [file.name for file in (work / "launch").iterdir()]
    assert "job.json" in held and "process-1.log" in held and (work / "checkpoint-2" / "record.parquet").exists()

    (one, _), (two, said) = trained(folders["one"], tiny, ONE), trained(folders["two"], tiny, TWO)
    assert said == ["train t: continuing after step 2", "train t: 2 processes: 8 rows a step, 4 in each"]
    assert one.stage_id != two.stage_id
    metrics = [json.loads(stage.read("trainings")["metrics"][0]) for stage in (one, two)]
    losses = [[entry["loss"] for entry in found["history"] if "loss" in entry] for found in metrics]
    assert losses[1] == pytest.approx(losses[0], abs=1e-4) and len(losses[0]) == 4
    assert metrics[0]["best"]["step"] == metrics[1]["best"]["step"] == 4
    for table in ("row_losses", "training_rows"):
        key = [name for name in ("step", "phase", "row_id") if name in one.read(table).columns]
        found, expected = (stage.read(table).drop("training_id").sort(key) for stage in (two, one))
        assert_frame_equal(found, expected, abs_tol=1e-3)
    settings = json.loads(two.read("trainings")["settings"][0])
    assert settings["launch"]["num_processes"] == 2
    assert sorted(f.name for f in (two.path / "model").iterdir()) == sorted(
        f.name for f in (one.path / "model").iterdir()
    )


def wait_for_those_of(folder: Path) -> None:
    """Wait until no process is left that was started on a folder's job."""
    poll = select.poll()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            started_on = str(folder) in (process / "cmdline").read_text()
            one = os.pidfd_open(int(process.name)) if started_on else None
        except OSError:  # it has just ended
            continue
        if one is not None:
            poll.register(one, select.POLLIN)
            assert poll.poll(60_000), (process / "cmdline").read_text()
            poll.unregister(one)
            os.close(one)
