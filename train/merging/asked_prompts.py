"""The texts that a merged model is compared on: of a training's rows, the held-out ones first."""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from curate.models.chat.chat import Chat
from train.examples.loss_settings import loss_settings
from train.examples.pair_examples import learnt_pairs
from train.examples.prompt_examples import rendered_prompts
from train.job import TrainingJob

ASKED = 20  # prompts
LONGEST = 512  # tokens of a text; of a longer one the last


class Asked(NamedTuple):
    """Texts as the chat template prints them: the ids of their rows, and the ids of each one's tokens."""

    row_ids: list[str]
    tokens: list[list[int]]


def asked_prompts(job: TrainingJob, chat: Chat, room: int) -> Asked:
    """Return at most ``ASKED`` different prompts, as they are printed for an answer.

    Args:
        job: The training.
        chat: The model's chat template and tokenizer.
        room: The most tokens of a prompt.
    """
    how, asked = loss_settings(job.trainer, job.settings, job.unshown), Asked([], [])
    for rows in _rows(job):
        for one in rendered_prompts(_spread(rows, ASKED - len(asked.row_ids)), chat, how):
            _add(asked, one.row_id, chat.encode(one.text).ids if one.text else [], room)
    return asked


def asked_answers(job: TrainingJob, chat: Chat, room: int) -> Asked:
    """Return both answers, each behind its prompt, of at most ``ASKED`` pairs."""
    how, asked = loss_settings(job.trainer, job.settings, job.unshown), Asked([], [])
    for rows in _rows(job):
        for row_id, pair in learnt_pairs(_spread(rows, ASKED - len(asked.row_ids) // 2), chat, how):
            for _, side in pair.sides:
                _add(asked, row_id, side.ids, room)
    return asked


def _rows(job: TrainingJob) -> Iterator[pl.DataFrame]:
    return (rows.unique("prompt", keep="first", maintain_order=True) for rows in (job.eval_rows, job.rows) if len(rows))


def _add(asked: Asked, row_id: str, ids: list[int], room: int) -> None:
    if ids:
        asked.row_ids.append(row_id)
        asked.tokens.append(ids[-min(LONGEST, room) :])


def _spread(rows: pl.DataFrame, count: int) -> pl.DataFrame:
    """Return ``count`` rows at equal distances, or all if there are fewer."""
    if rows.height <= count:
        return rows
    return rows[[place * rows.height // count for place in range(count)]]
