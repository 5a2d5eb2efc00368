"""A training on two machines, both of them this one: its losses, a node that is killed, who does not know the key."""

import json
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal

from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import Failed
from tests.optional import needs
from tests.train.killed_training import models_of
from tests.train.launch.test_launched_training import wait_for_those_of
from tests.train.tables import recipe_with, sft_rows, write_stage
from tests.train.test_resume import Notes
from train.run import train_recipe

pytestmark = [needs("trl"), pytest.mark.slow]

OPTIONS = (
    "trainer: sft, dataset: sft, model: student, lora: {r: 4, lora_dropout: 0}, max_steps: 4, learning_rate: 1e-2, "
    "save_strategy: steps, save_steps: 2, report_to: none, per_device_train_batch_size: 4"
)


class Operator(Notes):
    """Runs what a training says is to be run on the second machine; kills it, or stops it, at a step."""

    def __init__(self, at_step: int = 0) -> None:
        super().__init__()
        self.left = at_step
        self.node: subprocess.Popen[str] | None = None
        self.file = ""

    def say(self, message: str) -> None:
        super().say(message)
        if "run there:  " in message:
            command = shlex.split(message.split("run there:  ")[1])
            self.file = command[2]
            assert Path(self.file).stat().st_mode & 0o777 == 0o600
            started = [sys.executable, "-m", "cli.main", *command[1:]]
            self.node = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def advance(self, done: int, note: str = "") -> None:
        self.left -= done
        if self.left == 0 and self.node:
            self.node.send_signal(signal.SIGKILL)


@pytest.fixture(autouse=True)
def in_time():
    """Fail where a training waits for a machine that does not come."""

    def late(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(240)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def trained(folder: Path, model: Path, launch: str, notes: Notes) -> Stage:
    """Do the training in some processes; return its stage."""
    store = Store(folder / "store")
    with store.lock():
        stage = store.stage(next(iter(store.stages())))
        assert stage
        recipe = recipe_with(folder, f"train:\n  t: {{{OPTIONS}, launch: {launch}}}\n")
        (done,) = train_recipe(recipe, store, {"sft": stage}, models_of(str(model)), None, notes)
    return done


def test_a_killed_node_is_named_and_the_training_resumes(tmp_path: Path, tiny: Path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    two = f"{{machines: 2, processes: 2, address: 127.0.0.1, port: {port}}}"
    folders = {name: tmp_path / name for name in ("here", "machines")}
    for folder in folders.values():
        write_stage(Store(folder / "store"), "sft", sft_rows(32))
    killed, again = Operator(at_step=3), Operator()
    with pytest.raises(Failed, match=r"machine 2 of 2") as raised:
        trained(folders["machines"], tiny, two, killed)
    assert "'gristmill node' ended without a word" in str(raised.value)
    wait_for_those_of(folders["machines"])
    assert not Path(killed.file).exists()  # the key is not left

    found = trained(folders["machines"], tiny, two, again)
    assert again.node and again.node.wait(60) == 0
    assert again.node.stdout and "machine 2 of 2: the training t is done" in again.node.stdout.read()
    assert "train t: continuing after step 2" in again.said

    expected = trained(folders["here"], tiny, "{processes: 2}", Notes())
    assert found.stage_id == expected.stage_id  # where it runs changes no row
    losses = [[one["loss"] for one in history(stage)] for stage in (found, expected)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6) and len(losses[0]) == 4
    for table in ("row_losses", "training_rows"):
        assert_frame_equal(*(stage.read(table).drop("training_id") for stage in (found, expected)), abs_tol=1e-6)


def history(stage: Stage) -> list[dict]:
    """The entries of a training's log that have a loss."""
    return [one for one in json.loads(stage.read("trainings")["metrics"][0])["history"] if "loss" in one]
