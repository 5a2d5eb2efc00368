"""Runs a job's trainer: in this process, or in several."""

import warnings
from pathlib import Path

from schemas.errors import UserError
from schemas.recipe import Launch
from train.finding.find_trainer import find_trainer
from train.job import Outcome, TrainingJob


def run_trainer(job: TrainingJob, folder: Path, launch: Launch | None) -> Outcome:
    """Train as a job says, and save the adapter or the weights, with the tokenizer, into ``folder``."""
    if launch is not None:
        raise UserError(f"train.{job.name}: launch: not built yet")
    with warnings.catch_warnings():  # TRL and transformers deprecate each other's defaults; no user can help it
        warnings.simplefilter("ignore", FutureWarning)
        return find_trainer(job.trainer).train(job, folder)
