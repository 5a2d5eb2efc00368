"""The training that ``sft``, ``dpo``, ``kto`` and ``reward`` share: TRL on checked rows, with row losses recorded."""

from collections.abc import Callable
from pathlib import Path
from types import new_class
from typing import Any

from curate.models.chat.chat import Chat
from train.examples.examples import Examples
from train.examples.loss_settings import loss_settings
from train.fit import fit
from train.job import Outcome, TrainingJob
from train.reports.before.given_rows import given_rows
from train.row_losses import RowLosses
from train.rows.training_rows import TrainingRows, check_held_out, check_training_rows, nothing_left, rows_shown
from train.trl_setup import load_model, lora_config, model_chat, say_changes, trl_config, trl_errors


def no_arguments(config: Any) -> dict[str, Any]:
    """Return no further arguments, whatever the config."""
    return {}


def train_on_rows(
    job: TrainingJob,
    folder: Path,
    *,
    dataset_type: str,
    make_examples: Callable[..., Examples],
    config_class: type,
    trainer_class: type,
    row_losses: type[RowLosses],
    load: Callable[[TrainingJob], tuple[Any, Any]] = load_model,
    arguments: Callable[[Any], dict[str, Any]] = no_arguments,
    lora_task: str = "CAUSAL_LM",
) -> Outcome:
    """Train on the job's rows, and save the adapter or the weights with the tokenizer into ``folder``.

    gristmill tokenises the rows itself, so that ``check`` shows what is learnt by the same code; TRL gets token ids.

    Args:
        job: The training.
        folder: The folder for the model.
        dataset_type: The type of the dataset's rows: 'sft', 'preference' or 'unpaired'.
        make_examples: Returns rows as the trainer's token ids: ``train.examples``.
        config_class: TRL's config class.
        trainer_class: TRL's trainer class.
        row_losses: The mixin that reads the rows' losses from this trainer.
        load: Loads the model to start from and its tokenizer.
        arguments: Returns further arguments of the trainer, given its config.
        lora_task: PEFT's name for the model's task.

    Raises:
        UserError: A row, an option or the model cannot be used, or no row is left to train on.
    """
    rows = check_training_rows(job, dataset_type)
    config = trl_config(job, config_class)
    model, tokenizer = load(job)
    chat = model_chat(job, tokenizer)
    further = arguments(config)

    rows = rows_shown(job, rows, dataset_type, chat.template)
    examples, held_out = _examples(job, rows, chat, make_examples)
    row_ids, rows = rows.row_ids, rows.without(examples.dropped_rows())

    recorded_class = new_class("Recorded", (row_losses, trainer_class))
    with trl_errors(job):
        trainer = recorded_class(
            model=model,
            args=config,
            processing_class=tokenizer,
            train_dataset=examples.dataset(),
            eval_dataset=held_out.dataset(),
            peft_config=lora_config(job, lora_task),
            **further,
        )
    trainer.start_recording(row_ids)
    steps, metrics = fit(trainer, job, trainer, folder, given_rows(rows, examples))
    losses = trainer.recorded()
    reached = set(losses["row_id"]) if trainer.tells_rows_apart() else None
    return Outcome(
        steps, metrics, rows.fates(reached, examples.cut_tokens()), row_losses=losses, learnt=examples.counts
    )


def _examples(job: TrainingJob, rows: TrainingRows, chat: Chat, make: Callable[..., Examples]) -> tuple[Examples, ...]:
    """Return the rows to train on and those to evaluate on as the trainer's token ids.

    Raises:
        UserError: No row is left to train on.
    """
    settings = job.trainer, job.settings, job.unshown
    train = make(rows.train, chat, loss_settings(*settings))
    if not train.columns:
        raise nothing_left(job, rows.without(train.dropped_rows()).dropped)
    say_changes(job, train, chat.template)
    held_out = make(rows.held_out, chat, loss_settings(*settings, evaluation=True), first_index=rows.train.height)
    check_held_out(job, rows, held_out)
    return train, held_out
