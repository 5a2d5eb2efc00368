"""The trackers that a training reports to (``report_to``): what they call it, where they write, and their failures.

transformers' callbacks do the reporting. They read some of their settings from the environment only, so those that the
user has not set are set there while a training runs. A tracker that fails once the training has begun is left out.
"""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

from schemas.errors import UserError, printable
from schemas.progress import StageWarning
from train.job import TrainingJob
from train.options.reporting import reports

RUN_FILE = "mlflow_run"  # in the work folder: the id of MLflow's run, to continue it
WRITTEN = "emissions*.csv"  # in the work folder, by CodeCarbon: kept in the training's stage
RUN_ID = re.compile(r"[0-9a-f]{32}")


@contextlib.contextmanager
def tracker_environment(job: TrainingJob, training_id: str, folder: Path) -> Generator[None]:
    """Set what trackers read from the environment, in the body of a ``with``; what the user has set stays.

    Args:
        job: The training; its options are those of ``train.options.reporting.with_names``.
        training_id: The training's id, under which a resumed training goes on with its run.
        folder: The folder for the files of TensorBoard: that of this run.
    """
    wanted = _variables(job.settings, training_id, folder, job.work_folder) if reports(job.settings) else {}
    added = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(added)
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _variables(settings: Mapping[str, Any], training_id: str, folder: Path, work: Path) -> dict[str, str]:
    project, run = (str(settings.get(name) or training_id) for name in ("project", "run_name"))
    variables = {
        "TENSORBOARD_LOGGING_DIR": str(folder),
        "WANDB_PROJECT": project,
        "WANDB_RUN_ID": training_id,
        "WANDB_RESUME": "allow",
        "MLFLOW_EXPERIMENT_NAME": project,
        "COMET_PROJECT_NAME": project,
        "SWANLAB_PROJECT": project,
        "SWANLAB_RUN_ID": training_id,
        "SWANLAB_RESUME": "allow",
        "CLEARML_PROJECT": project,
        "CLEARML_TASK": run,
    }
    earlier = work / RUN_FILE
    if earlier.exists() and RUN_ID.fullmatch(text := earlier.read_text(encoding="utf-8").strip()):
        variables["MLFLOW_RUN_ID"] = text
    return variables


def guard_trackers(trainer: Any, job: TrainingJob) -> None:
    """Say what a training reports to, and make sure that it goes on without a tracker that fails after its first step.

    Args:
        trainer: A TRL trainer.
        job: The training.
    """
    from transformers.integrations import get_reporting_integration_callbacks

    args = trainer.args
    kinds = dict(zip(get_reporting_integration_callbacks(args.report_to), args.report_to or (), strict=True))
    trackers = {kinds[type(one)]: one for one in trainer.callback_handler.callbacks if type(one) in kinds}
    for name, tracker in trackers.items():
        _guard(name, tracker, trainer, job)
    if trackers:
        project = getattr(args, "project", None)
        where = f"the run {args.run_name!r}" + (f" of the project {project!r}" if project else "")
        space = getattr(args, "trackio_space_id", None) or os.environ.get("TRACKIO_SPACE_ID")
        online = f"; trackio's is in the Space {space!r}" if space and "trackio" in trackers else ""
        logs = getattr(trackers.get("tensorboard"), "logging_dir", None)
        local = f"; tensorboard --logdir {Path(logs).parent}" if logs else ""
        names = ", ".join(trackers)
        job.progress.say(printable(f"train {job.name}: reports to {names}, as {where}{online}{local}"))


def _guard(name: str, tracker: Any, trainer: Any, job: TrainingJob) -> None:
    """Guard each event of a tracker, but those at the start."""
    failed: list[str] = []

    def guarded(event: str, handle: Callable[..., Any]) -> Callable[..., Any]:
        def call(args: Any, state: Any, control: Any, **others: Any) -> Any:
            if failed:
                return None
            try:
                result = handle(args, state, control, **others)
                if event == "on_train_begin":
                    _note_run(name, job.work_folder)
                return result
            except (Exception, KeyboardInterrupt) as error:
                if isinstance(error, KeyboardInterrupt) and event != "on_train_end":
                    raise  # at the end only the tracker is stopped, which may wait for its server
                if event == "on_train_begin":
                    raise UserError(f"train.{job.name}: report_to: {name}: {_message(error)}") from error
                failed.append(event)
                trainer.args.report_to = [one for one in trainer.args.report_to if one != name]
                _say_failed(name, error, state.global_step, job)
                return None

        return call

    for event in dir(tracker):
        if event.startswith("on_"):
            setattr(tracker, event, guarded(event, getattr(tracker, event)))


def _say_failed(name: str, error: BaseException, step: int, job: TrainingJob) -> None:
    text = f"report_to: {name} failed after step {step:,}, and gets no further figures: {_message(error)}"
    job.progress.warn(StageWarning(f"train.{job.name}", text))


def _message(error: BaseException) -> str:
    message = printable(" ".join(str(error).split()))[:300]
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _note_run(name: str, work: Path) -> None:
    """Write down the id of MLflow's run, which only MLflow knows."""
    mlflow = sys.modules.get("mlflow")
    if name == "mlflow" and mlflow is not None and (run := mlflow.active_run()) is not None:
        (work / RUN_FILE).write_text(run.info.run_id, encoding="utf-8")
