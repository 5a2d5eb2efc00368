"""A ``TrainingJob`` as files, for the processes that train: JSON, and its rows as Arrow. Nothing is pickled.

No secret is among them: a model's settings name the variable that holds a key. The scorers and the models that they
ask stay with the process that started the training, which answers (``train.launch.worker``).
"""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import polars as pl

from curate.models.model_ref import ModelRef
from curate.pipeline.scorer import Answer
from schemas.errors import UserError
from schemas.progress import Progress
from schemas.recipe import EarlyStopping
from train.answer_scorers import AnswerScorer
from train.job import TrainingJob

FILE = "job.json"
ROWS = ("rows", "eval_rows")
STAY = ("progress", "answer", "rewards")


def write_job(job: TrainingJob, folder: Path) -> None:
    """Write a job into a folder.

    Raises:
        UserError: An option holds something that JSON cannot.
    """
    held: dict[str, Any] = {"rewards": [*job.rewards]}
    for name in (field.name for field in fields(job) if field.name not in STAY):
        value = getattr(job, name)
        if name in ROWS:
            value.write_ipc(folder / f"{name}.arrow")
        elif isinstance(value, ModelRef):
            held[name] = asdict(value)
        elif isinstance(value, EarlyStopping):
            held[name] = value.model_dump()
        else:
            held[name] = str(value) if isinstance(value, Path) else value
    for option, value in job.settings.items():
        if json.loads(json.dumps(value, default=str)) != value:
            raise UserError(f"train.{job.name}: {option}: cannot be handed to other processes: {value!r}")
    (folder / FILE).write_text(json.dumps(held, ensure_ascii=False), encoding="utf-8")


def read_job(folder: Path, rewards: dict[str, AnswerScorer], progress: Progress, answer: Answer) -> TrainingJob:
    """Return the job that a folder holds.

    Args:
        folder: The folder.
        rewards: What scores answers, by name.
        progress: The display to report to.
        answer: Makes the model calls of ``rewards``.
    """
    held = json.loads((folder / FILE).read_text(encoding="utf-8"))
    held |= {name: pl.read_ipc(folder / f"{name}.arrow") for name in ROWS}
    held |= {name: _ref(held[name]) for name in ("ref", "teacher") if held[name] is not None}
    if held["early_stopping"] is not None:
        held["early_stopping"] = EarlyStopping(**held["early_stopping"])
    held |= {"work_folder": Path(held["work_folder"]), "progress": progress, "answer": answer, "rewards": rewards}
    return TrainingJob(**held)


def reward_names(folder: Path) -> list[str]:
    """Return the names of a job's rewards."""
    return json.loads((folder / FILE).read_text(encoding="utf-8"))["rewards"]


def _ref(held: dict[str, Any]) -> ModelRef:
    return ModelRef(**{name: _tuples(value) for name, value in held.items()})


def _tuples(value: Any) -> Any:
    """Return a value with tuples for JSON's lists, as a ``ModelRef`` holds them."""
    return tuple(_tuples(one) for one in value) if isinstance(value, list) else value
