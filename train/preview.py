"""Shows dataset rows as a trainer gets them: their tokens, and which of them are learnt. It does not import TRL.

The tokens are made by ``train.examples``, which makes those of the training, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from curate.models.chat.chat import Chat
from schemas.recipe import Training
from train.examples.learnt_tokens import TokenSequence
from train.examples.loss_settings import LossSettings, loss_settings
from train.examples.pair_examples import learnt_pairs
from train.examples.prompt_examples import rendered_prompts
from train.examples.sft_examples import learnt_rows


@dataclass(frozen=True)
class Sample:
    """One sequence of tokens of a row, or why the row has none.

    Attributes:
        row_id: The row's id.
        column: The answer's column (completion, chosen, rejected), or ``prompt`` for a row that has no answer.
        tokens: The texts of the tokens.
        learnt: Whether each token enters the loss.
        length: The number of tokens before the sequence was cut at ``max_length``.
        part: Which of the row's sequences of this column it is, and of how many.
        reason: Why the training leaves the row out; None where it does not.
    """

    row_id: str
    column: str
    tokens: list[str]
    learnt: list[bool]
    length: int
    part: tuple[int, int] = (1, 1)
    reason: str | None = None


def preview(rows: pl.DataFrame, training: Training, dataset_type: str, chat: Chat) -> list[Sample]:
    """Return rows as a trainer gets them, a sample for each sequence of tokens.

    Args:
        rows: Rows that ``train.data.check_rows`` accepts.
        training: The training's entry in the recipe: its trainer and its settings, such as ``max_length``.
        dataset_type: 'sft', 'preference' or 'prompt'.
        chat: The model's chat template and tokenizer.
    """
    how = loss_settings(training.trainer, training.settings, training.unshown)
    if dataset_type == "sft":
        return list(_sft_samples(rows, chat, how))
    if dataset_type == "preference":
        return list(_pair_samples(rows, chat, how))
    return [
        Sample(row_id, "prompt", [], [], 0, reason=str(reason)) if text is None else _prompt_sample(row_id, chat, text)
        for row_id, _, text, _, reason in rendered_prompts(rows, chat, how)
    ]


def _sft_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[Sample]:
    for row_id, row in learnt_rows(rows, chat, how):
        if row.reason is not None:
            yield Sample(row_id, "completion", [], [], 0, reason=row.reason)
        for number, (one, length) in enumerate(zip(row.sequences, row.lengths, strict=True), 1):
            part = (number, len(row.sequences))
            yield Sample(row_id, "completion", token_texts(one), one.learnt, length, part)


def _pair_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[Sample]:
    for row_id, pair in learnt_pairs(rows, chat, how):
        if pair.reason is not None:
            yield Sample(row_id, "chosen", [], [], 0, reason=pair.reason)
        for name, side in pair.sides:
            kept = side.part(how.kept)
            yield Sample(row_id, name, token_texts(kept), kept.learnt, len(side.ids))


def _prompt_sample(row_id: str, chat: Chat, text: str) -> Sample:
    encoding = chat.encode(text)
    sequence = TokenSequence(text, encoding.ids, encoding.offsets, [False] * len(encoding.ids), [])
    return Sample(row_id, "prompt", token_texts(sequence), sequence.learnt, len(sequence.ids))


def token_texts(sequence: TokenSequence) -> list[str]:
    """Return the text of each token. A character of several tokens is the first one's, so that all texts add up."""
    texts, done = [], sequence.offsets[0][0] if sequence.offsets else 0
    for _, end in sequence.offsets:
        texts.append(sequence.text[done : max(done, end)])
        done = max(done, end)
    return texts
