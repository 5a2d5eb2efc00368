"""Group relative policy optimisation with ``trl.GRPOTrainer``: scorers reward the answers that the model samples."""

from pathlib import Path

import polars as pl

from train.job import Outcome, TrainingJob

CONFIG = "GRPOConfig"
DATA = "prompt"
NEEDS = ("rewards",)
NO_LIMIT = 1 << 30  # tokens


def train(job: TrainingJob, folder: Path) -> Outcome:
    """Train on the job's prompts and save the adapter or the weights, with the tokenizer, into ``folder``.

    Every answer sampled is kept in ``rollouts`` with the value that each reward gave it. A prompt that leaves no room
    for an answer in the model's context is left out (TRL does not check it).
    """
    from trl import GRPOConfig, GRPOTrainer

    from train.data import refuse_tools
    from train.examples.loss_settings import loss_settings
    from train.examples.prompt_examples import prompt_dataset, prompt_examples, trace_opening
    from train.fit import fit
    from train.rewards import Rollouts, reward_function
    from train.training_rows import check_held_out, check_training_rows, nothing_left, rows_shown
    from train.trl_setup import load_model, lora_config, model_chat, say_changes, trl_config, trl_errors

    rows = check_training_rows(job, DATA)
    refuse_tools(rows.train, f"train.{job.name}")
    config = trl_config(job, GRPOConfig)
    model, tokenizer = load_model(job, on_disk=config.beta != 0)
    context = getattr(model.config, "max_position_embeddings", None) or NO_LIMIT
    chat, room = model_chat(job, tokenizer), context - (config.max_completion_length or 0)
    rows = rows_shown(job, rows, DATA, chat.template)
    how = loss_settings(job.trainer, job.settings, job.unshown)
    examples = prompt_examples(rows.train, chat, how, room)
    held_out = prompt_examples(rows.held_out, chat, how, room, first_index=rows.train.height)
    if not examples.columns:
        raise nothing_left(job, rows.without(examples.dropped_rows()).dropped)
    say_changes(job, examples, chat.template)
    check_held_out(job, rows, held_out)
    rollouts = Rollouts(pl.concat([rows.train, rows.held_out]))
    max_tokens = config.max_completion_length or NO_LIMIT
    opening = trace_opening(rows.train, chat, how)
    with trl_errors(job):
        trainer = GRPOTrainer(
            model,
            [
                reward_function(name, scorer, rollouts, max_tokens, job.answer, opening)
                for name, scorer in job.rewards.items()
            ],
            config,
            processing_class=tokenizer,
            peft_config=lora_config(job),
            train_dataset=prompt_dataset(examples),
            eval_dataset=prompt_dataset(held_out),
        )
    steps, metrics = fit(trainer, job, rollouts, folder)
    recorded = rollouts.recorded()
    rows = rows.without(examples.dropped_rows())
    return Outcome(steps, metrics, rows.fates(set(recorded["row_id"])), rollouts=recorded, learnt=examples.counts)
