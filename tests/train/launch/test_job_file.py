"""A job as files is the same job, without what stays where it was started; and rows that fill a batch up."""

import json
from dataclasses import fields, replace
from pathlib import Path

import polars as pl
import pytest

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import no_model_calls
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import EarlyStopping
from tests.train.tables import rl_rows
from train.answer_scorers import AnswerScorer
from train.job import TrainingJob
from train.launch.job_file import FILE, read_job, reward_names, write_job
from train.launch.ranks import agreed, first_before_others, gathered, is_first, processes, without_fillers
from train.launch.worker import ToldProgress

REF = ModelRef("m", "m@1>t", "/models/m", adapters=("/a", "/b"), settings=(("api_key_env", "KEY"), ("stop", ("x",))))
JOB = TrainingJob(
    name="t",
    trainer="grpo",
    ref=REF,
    rows=rl_rows(3),
    eval_rows=rl_rows(2).head(0),
    settings={"learning_rate": 1e-4, "report_to": "none", "lr_scheduler_kwargs": {"a": [1, None]}, "text": "é\u2028"},
    lora={"r": 4, "target_modules": ["q_proj"]},
    rewards={"length": AnswerScorer(())},
    seed=3,
    work_folder=Path("/store/work/t"),
    progress=Progress(),
    teacher=ModelRef("big", "big@0", "big"),
    early_stopping=EarlyStopping(patience=2),
)


def test_a_job_is_the_same_once_read(tmp_path: Path):
    write_job(JOB, tmp_path)
    assert reward_names(tmp_path) == ["length"]
    read = read_job(tmp_path, JOB.rewards, JOB.progress, no_model_calls)
    for field in fields(TrainingJob):
        found, expected = getattr(read, field.name), getattr(JOB, field.name)
        assert found.equals(expected) if isinstance(found, pl.DataFrame) else found == expected, field.name
    assert hash(read.ref) == hash(REF)


def test_no_teacher_and_no_adapter_stay_none(tmp_path: Path):
    write_job(replace(JOB, teacher=None, lora=None, early_stopping=None, rewards={}), tmp_path)
    read = read_job(tmp_path, {}, Progress(), no_model_calls)
    assert (read.teacher, read.lora, read.early_stopping) == (None, None, None)


def test_no_secret_of_the_environment_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("KEY", "s3cr3t")
    write_job(JOB, tmp_path)
    assert "KEY" in (tmp_path / FILE).read_text() and "s3cr3t" not in (tmp_path / FILE).read_text()


def test_an_option_that_json_changes_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match=r"train.t: lr_scheduler_kwargs: cannot be handed to other processes: \{1: 2\}"):
        write_job(replace(JOB, settings={"lr_scheduler_kwargs": {1: 2}}), tmp_path)


def test_all_that_a_display_shows_is_passed_on():
    shown = {name for name, value in vars(Progress).items() if callable(value) and not name.startswith("_")}
    assert shown == {name for name in vars(ToldProgress) if not name.startswith("_")}


def test_one_process_alone_is_the_first_and_asks_nobody():
    rows = pl.DataFrame({"step": [2, 1], "phase": ["train", "eval"]})
    assert (processes(), is_first(), agreed(5)) == (1, True, 5)
    assert gathered(rows) is rows
    with first_before_others() as first:
        assert first


def test_rows_that_fill_a_batch_up_are_left_out():
    rows = pl.DataFrame(
        {
            "row_id": ["a", "b", "b", "a", "b", "a", "b", "a"],
            "phase": ["train"] * 6 + ["eval"] * 2,
            "epoch": [0.0, 0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0],
            "step": [1, 1, 1, 2, 2, 3, 3, 3],
        }
    )
    found = without_fillers(rows, {"b": 2}, pl.col("epoch").floor())
    assert found.rows() == [row for i, row in enumerate(rows.rows()) if i not in (3, 4)]
    assert json.dumps(without_fillers(rows.clear(), {}, pl.col("step")).rows()) == "[]"
