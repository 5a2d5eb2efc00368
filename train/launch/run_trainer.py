"""Runs a job's trainer: in this process, or in several."""

import shutil
import warnings
from pathlib import Path
from typing import Any

from train.finding.find_trainer import find_trainer
from train.job import Outcome, TrainingJob
from train.launch.channel import listening
from train.launch.job_file import write_job
from train.launch.launcher import launched, on_cpu
from train.launch.nodes import further_machines
from train.launch.processes import Processes


def run_trainer(job: TrainingJob, folder: Path, config: dict[str, Any] | None) -> Outcome:
    """Train as a job says, and save the adapter or the weights, with the tokenizer, into ``folder``.

    Args:
        job: The training.
        folder: The folder for the model.
        config: The configuration that ``accelerate launch`` starts several processes with; None to train in this one.
    """
    if config is not None:
        return _in_processes(job, folder, config)
    with warnings.catch_warnings():  # TRL and transformers deprecate each other's defaults; no user can help it
        warnings.simplefilter("ignore", FutureWarning)
        return find_trainer(job.trainer).train(job, folder)


def _in_processes(job: TrainingJob, folder: Path, config: dict[str, Any]) -> Outcome:
    """Train in the processes of a configuration; their logs stay in the work folder if the training fails."""
    files = job.work_folder / "launch"
    shutil.rmtree(files, ignore_errors=True)  # of a training that was interrupted
    files.mkdir(mode=0o700)
    write_job(job, files)
    cpu = on_cpu(config, f"train.{job.name}")
    with listening() as listener, further_machines(job, config, files, folder, cpu=cpu) as (nodes, config):
        with launched(config, files, folder, listener.getsockname(), cpu=cpu) as launcher:
            return Processes(job, config["num_processes"], listener, launcher, files, nodes).outcome_of_all()
