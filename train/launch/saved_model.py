"""Saves the model that a training made. Of several processes the first one writes."""

from pathlib import Path
from typing import Any

from curate.models.weight_files import note_start
from train.job import TrainingJob
from train.launch.ranks import is_first, processes
from train.stored_adapter import check_stored, store_change

ARGUMENTS = "training_args.bin"  # TRL's config, pickled


def save_model(trainer: Any, job: TrainingJob, folder: Path, start: dict[str, Any]) -> None:
    """Save a trainer's model, or its adapter, with the tokenizer, into a folder.

    Args:
        trainer: The TRL trainer, after its last step.
        job: The training.
        folder: The folder.
        start: As ``train.stored_adapter.start_of`` returned it.
    """
    shared = trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled  # every process may hold a part of the weights
    if processes() == 1 and not shared:
        trainer.model.save_pretrained(folder)
        trainer.processing_class.save_pretrained(folder)
    else:
        trainer.save_model(str(folder))
        (folder / ARGUMENTS).unlink(missing_ok=True)
    if job.lora is not None and is_first():
        store_change(folder, start)
        note_start(folder, job.ref)
        if not shared:
            check_stored(trainer.model, job, folder)
