"""The training that ``sft``, ``dpo`` and ``reward`` share: a TRL trainer on checked rows, with row losses recorded."""

from collections.abc import Callable
from pathlib import Path
from types import new_class
from typing import Any

from train.fit import fit
from train.job import Outcome, TrainingJob
from train.row_losses import RowLosses
from train.training_rows import CUT_OFF, check_training_rows, nothing_left
from train.trl_setup import load_model, lora_config, trl_config, trl_errors


def no_arguments(config: Any) -> dict[str, Any]:
    """Return no further arguments, whatever the config."""
    return {}


def train_on_rows(
    job: TrainingJob,
    folder: Path,
    *,
    dataset_type: str,
    config_class: type,
    trainer_class: type,
    row_losses: type[RowLosses],
    load: Callable[[TrainingJob], tuple[Any, Any]] = load_model,
    arguments: Callable[[Any], dict[str, Any]] = no_arguments,
    lora_task: str = "CAUSAL_LM",
    too_long_fate: str = CUT_OFF,
) -> Outcome:
    """Train on the job's rows, and save the adapter or the weights with the tokenizer into ``folder``.

    Args:
        job: The training.
        folder: The folder for the model.
        dataset_type: The type of the dataset's rows: 'sft' or 'preference'.
        config_class: TRL's config class.
        trainer_class: TRL's trainer class.
        row_losses: The mixin that reads the rows' losses from this trainer.
        load: Loads the model to start from and its tokenizer.
        arguments: Returns further arguments of the trainer, given its config.
        lora_task: PEFT's name for the model's task.
        too_long_fate: The fate of a row that TRL leaves out for its length.

    Raises:
        UserError: A row, an option or the model cannot be used, or no row is left to train on.
    """
    rows = check_training_rows(job, dataset_type)
    config = trl_config(job, config_class)
    model, tokenizer = load(job)
    further = arguments(config)

    recorded_class = new_class("Recorded", (row_losses, trainer_class))
    with trl_errors(job):
        trainer = recorded_class(
            model=model,
            args=config,
            processing_class=tokenizer,
            peft_config=lora_config(job, lora_task),
            **rows.datasets(dataset_type),
            **further,
        )
    row_ids = rows.row_ids
    too_long = set(rows.train["row_id"]) - {row_ids[index] for index in trainer.kept_rows()}
    if not len(trainer.train_dataset):
        raise nothing_left(job, rows.fates(too_long, None, too_long_fate=too_long_fate))
    trainer.start_recording(row_ids)
    steps, metrics = fit(trainer, job, trainer, folder)
    losses = trainer.recorded()
    reached = set(losses["row_id"]) if trainer.tells_rows_apart() else None
    return Outcome(steps, metrics, rows.fates(too_long, reached, too_long_fate=too_long_fate), row_losses=losses)
