"""The checkpoints of a training: which one to resume from, and which to keep.

A checkpoint is whole once it has its ``RECORD``, which is written last and removed first; so a kill at any moment
leaves either a whole checkpoint or one that is not used.
"""

import json
import shutil
from pathlib import Path

import polars as pl

RECORD = "record.parquet"  # in a checkpoint: the rows recorded up to then


def write_record(checkpoint: Path, rows: pl.DataFrame) -> None:
    """Write the record into a checkpoint that TRL has written, which makes it whole."""
    rows.write_parquet(checkpoint / f".{RECORD}")
    (checkpoint / f".{RECORD}").rename(checkpoint / RECORD)


def read_record(checkpoint: Path) -> pl.DataFrame:
    """Return the rows recorded up to a checkpoint that is whole."""
    return pl.read_parquet(checkpoint / RECORD)


def last_checkpoint(work_folder: Path) -> Path | None:
    """Return the newest whole checkpoint that has a step left to do, or None.

    From the checkpoint of the last step, or of the step at which the training ended early, transformers would do one
    step too many.
    """
    return max((c for c in _checkpoints(work_folder) if _resumable(c)), key=step_of, default=None)


def resume_point(work_folder: Path) -> Path | None:
    """Return the checkpoint to resume from, and remove those that are broken off or that will be written again."""
    resumed = last_checkpoint(work_folder)
    for one in _checkpoints(work_folder):
        if not (one / RECORD).exists() or resumed is None or step_of(one) > step_of(resumed):
            _remove(one)
    return resumed


def prune(work_folder: Path, limit: int | None, best: str | None) -> None:
    """Remove older checkpoints.

    Args:
        work_folder: The folder of the checkpoints.
        limit: The number of the newest checkpoints to keep, or None for all. The one to resume from is kept beside.
        best: The folder of the best checkpoint, which is kept.
    """
    if limit is None or limit < 1:
        return
    whole = sorted((c for c in _checkpoints(work_folder) if (c / RECORD).exists()), key=step_of)
    kept = {*whole[-limit:], last_checkpoint(work_folder)}
    for one in whole:
        if one not in kept and (best is None or one.name != Path(best).name):
            _remove(one)


def step_of(checkpoint: Path) -> int:
    """Return the number of steps that were done when a checkpoint was written."""
    return int(checkpoint.name.rsplit("-", 1)[1])


def _checkpoints(work_folder: Path) -> list[Path]:
    return [c for c in work_folder.glob("checkpoint-*") if c.name.rsplit("-", 1)[1].isdigit()]


def _resumable(checkpoint: Path) -> bool:
    if not (checkpoint / RECORD).exists():
        return False
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    control = state.get("stateful_callbacks", {}).get("TrainerControl", {}).get("args", {})
    return state["global_step"] < state["max_steps"] and not control.get("should_training_stop", False)


def _remove(checkpoint: Path) -> None:
    """Remove a checkpoint; first its record, so that a half removed one is not taken for a whole one."""
    (checkpoint / RECORD).unlink(missing_ok=True)
    shutil.rmtree(checkpoint, ignore_errors=True)
