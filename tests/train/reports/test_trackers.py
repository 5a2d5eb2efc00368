"""The trackers that a training reports to: their names for it, the environment they read, and failures of theirs."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from curate.models.model_ref import ModelRef
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.progress import Progress, StageWarning
from tests.optional import needs
from tests.train.tables import recipe_with, sft_rows, write_stage
from train.options.reporting import reports, with_names
from train.plan import plan_trainings
from train.reports.trackers import tracker_environment
from train.run import train_recipe

KNOWN = {"run_name": 0, "project": 0}
STEPS = "per_device_train_batch_size: 2, max_steps: 3, learning_rate: 1e-2"


def test_a_run_has_the_names_of_recipe_and_training():
    given = {"report_to": ["trackio"], "learning_rate": 1.0}
    assert with_names(given, KNOWN, "demo", "sft-0a1b") == {**given, "run_name": "sft-0a1b", "project": "demo"}
    own = {"report_to": "wandb", "run_name": "mine"}
    assert with_names(own, {"run_name": 0}, "demo", "sft-0a1b") == own  # an older config without ``project``
    for none in (None, [], "none", ["none"]):
        assert not reports({"report_to": none}) and with_names({"report_to": none}, KNOWN, "a", "b") == {
            "report_to": none
        }
    assert not reports({}) and reports({"report_to": "all"})


def test_the_environment_is_set_while_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("WANDB_PROJECT", "TENSORBOARD_LOGGING_DIR", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    before = dict(os.environ)
    settings = {"report_to": "all", "project": "demo", "run_name": "sft-0a1b"}
    job: Any = SimpleNamespace(settings=settings, work_folder=tmp_path)
    quiet: Any = SimpleNamespace(settings={"report_to": "none"}, work_folder=tmp_path)
    with pytest.raises(OSError), tracker_environment(job, "0a1b", tmp_path / "t"):
        assert os.environ["WANDB_PROJECT"] == os.environ["SWANLAB_PROJECT"] == "demo"
        assert (os.environ["WANDB_RUN_ID"], os.environ["CLEARML_TASK"]) == ("0a1b", "sft-0a1b")
        assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "t")
        assert os.environ["MLFLOW_EXPERIMENT_NAME"] == "mine" and "MLFLOW_RUN_ID" not in os.environ
        raise OSError
    assert dict(os.environ) == before
    (tmp_path / "mlflow_run").write_text("a" * 32)
    with tracker_environment(job, "0a1b", tmp_path / "t"):
        assert os.environ["MLFLOW_RUN_ID"] == "a" * 32
    (tmp_path / "mlflow_run").write_text("../x")
    with tracker_environment(job, "0a1b", tmp_path / "t"):
        assert "MLFLOW_RUN_ID" not in os.environ
    with tracker_environment(quiet, "0a1b", tmp_path / "t"):
        assert dict(os.environ) == before


class Lines(Progress):
    """Keeps what is said and warned."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[StageWarning] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, warning: StageWarning) -> None:
        self.warned.append(warning)


def tracker(fails: str = "", error: type[BaseException] = OSError) -> Any:
    """Return the class of a tracker that counts its events, and fails in one of them."""
    from transformers import TrainerCallback

    class Counting(TrainerCallback):
        seen: list[str] = []  # noqa: RUF012

        def __init__(self) -> None:
            self.seen.clear()

        def count(self, name: str, args: Any) -> None:
            self.seen.append(name)
            self.names = args.run_name, args.project
            if name == fails:
                raise error("the server is\naway\x1b[0m")

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self.count("begin", args)

        def on_log(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self.count("log", args)

        def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            self.count("end", args)

    return Counting


def rows(store: Store) -> dict[str, Stage]:
    (held,) = store.stages_labelled("datasets") or [write_stage(store, "sft", sft_rows(6))]
    return {"sft": held}


def train(folder: Path, store: Store, ref: ModelRef, kind: Any, options: str, monkeypatch: pytest.MonkeyPatch) -> Lines:
    from transformers.integrations import integration_utils

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "counting", kind)
    sections = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, lora: true, {STEPS}, {options}}}\n"
    recipe, lines = recipe_with(folder / "recipes", sections), Lines()
    train_recipe(recipe, store, rows(store), {"student": ref}, None, lines)
    return lines


@pytest.mark.slow
@needs("trl")
def test_a_training_goes_on_without_a_tracker_that_fails(tmp_path, store, ref, monkeypatch):
    kind = tracker()
    lines = train(tmp_path, store, ref, kind, "report_to: counting", monkeypatch)
    assert kind.seen == ["begin", "log", "log", "log", "log", "end"]
    (stage,) = store.stages_labelled("train-s")
    assert lines.said[0] == f"train s: reports to counting, as the run 's-{stage.stage_id}' of the project 'tiny'"
    assert lines.warned == [] and "report_to" not in stage.read("trainings")["settings"][0]

    kind = tracker("log")
    lines = train(tmp_path, store, ref, kind, "report_to: [counting], logging_steps: 2, seed: 1", monkeypatch)
    assert kind.seen == ["begin", "log"]
    assert [str(one) for one in lines.warned] == [
        "train.s: report_to: counting failed after step 2, and gets no further figures: OSError: the server is away [0m"
    ]
    kind = tracker("end", KeyboardInterrupt)  # it waits for its server, and the user has enough of that
    lines = train(tmp_path, store, ref, kind, "report_to: [counting], seed: 2", monkeypatch)
    assert len(lines.warned) == 1 and len(store.stages_labelled("train-s")) == 3


@pytest.mark.slow
@needs("trl")
def test_a_tracker_that_cannot_begin_ends_the_training(tmp_path, store, ref, monkeypatch):
    with pytest.raises(UserError, match=r"^train.s: report_to: counting: OSError: the server is away"):
        train(tmp_path, store, ref, tracker("begin"), "report_to: counting", monkeypatch)
    assert store.stages_labelled("train-s") == []


def test_where_it_reports_is_no_part_of_a_trainings_id(tmp_path, store, ref):
    ids = set()
    for options in (
        "seed: 0",
        "seed: 0, report_to: none",
        "seed: 0, report_to: [tensorboard], run_name: a, project: b",
    ):
        sections = f"train:\n  s: {{trainer: sft, dataset: sft, model: student, {options}}}\n"
        recipe = recipe_with(tmp_path / "recipes", sections)
        ids |= {one.stage_id for one in plan_trainings(recipe, store, rows(store), {"student": ref})}
    assert len(ids) == 1
