"""Prompts whose answers the model samples while it trains: those that are left, as TRL gets them."""

from typing import Any, NamedTuple

from curate.models.chat.chat import Chat
from train.examples.context import ANSWER, NO_LIMIT
from train.examples.examples import Examples
from train.examples.loss_settings import loss_settings
from train.examples.prompt_examples import prompt_examples, trace_opening
from train.job import TrainingJob
from train.rows.data import refuse_tools
from train.rows.training_rows import TrainingRows, check_held_out, check_training_rows, nothing_left, rows_shown
from train.trl_setup import say_changes

DATA = "prompt"


class SampledPrompts(NamedTuple):
    """The prompts of a training.

    Attributes:
        known: The rows by ``row_index``, among them those that are left out for their length.
        rows: The rows without those.
        examples: The prompts to train on.
        held_out: The prompts to evaluate on.
        opening: The mark by which the chat template opens a reasoning trace behind the prompts, or an empty text.
    """

    known: TrainingRows
    rows: TrainingRows
    examples: Examples
    held_out: Examples
    opening: str


def checked_prompts(job: TrainingJob) -> TrainingRows:
    """Return a training's prompts before a model is loaded, without those that teach nothing.

    Raises:
        UserError: A prompt is no conversation, or has tools, which TRL would not show to the model.
    """
    rows = check_training_rows(job, DATA)
    refuse_tools(rows.train, f"train.{job.name}")
    return rows


def longest_answer(config: Any) -> int:
    """Return the most tokens of a sampled answer, as a config of TRL says it under one of two names."""
    return next((n for name in (ANSWER, "max_new_tokens") if (n := getattr(config, name, None))), NO_LIMIT)


def answer_room(config: Any, *models: Any) -> int:
    """Return how many tokens a prompt may have, so that loaded models can read it with the longest answer."""
    context = min(getattr(model.config, "max_position_embeddings", None) or NO_LIMIT for model in models)
    return context - (getattr(config, ANSWER, None) or 0)


def sampled_prompts(job: TrainingJob, rows: TrainingRows, chat: Chat, config: Any, *models: Any) -> SampledPrompts:
    """Return prompts as TRL gets them. One that leaves no room for an answer is left out (TRL does not check it).

    Args:
        job: The training.
        rows: Its checked rows.
        chat: The model's chat template and tokenizer.
        config: TRL's config, for its ``max_completion_length``.
        models: The models that read a prompt with its answer.

    Raises:
        UserError: The recipe does not say what becomes of rows that are not shown whole, or no row is left.
    """
    room = answer_room(config, *models)
    rows = rows_shown(job, rows, DATA, chat.template)
    how = loss_settings(job.trainer, job.settings, job.unshown)
    examples = prompt_examples(rows.train, chat, how, room)
    held_out = prompt_examples(rows.held_out, chat, how, room, first_index=rows.train.height)
    left = rows.without(examples.dropped_rows())
    if not examples.columns:
        raise nothing_left(job, left.dropped)
    say_changes(job, examples, chat.template)
    check_held_out(job, rows, held_out)
    return SampledPrompts(rows, left, examples, held_out, trace_opening(rows.train, chat, how))
