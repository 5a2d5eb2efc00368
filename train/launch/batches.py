"""Says what a batch of several processes is."""

from typing import Any

from train.job import TrainingJob
from train.launch.ranks import processes


def say_batches(trainer: Any, job: TrainingJob) -> None:
    """Say how many rows a step takes in all processes, and what fills the last batch of an epoch up."""
    count = processes()
    if count == 1:
        return
    args, sampled = trainer.args, hasattr(trainer.args, "num_generations")
    at_once = args.per_device_train_batch_size * count
    step = at_once * args.gradient_accumulation_steps
    line = f"{count} processes: {step:,} {'answers' if sampled else 'rows'} a step, {step // count:,} in each"
    rows = len(trainer.train_dataset)
    reached = args.max_steps <= 0 or args.max_steps * step > rows  # whether there is a last batch of an epoch
    missing = 0 if sampled or args.dataloader_drop_last or not reached else -rows % at_once
    if missing:
        line += (
            f"; the last batch of an epoch is filled up with {missing:,} rows of its beginning (dataloader_drop_last: "
            f"true leaves it out)"
        )
    job.progress.say(f"train {job.name}: {line}")
