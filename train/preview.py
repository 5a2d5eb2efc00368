"""Shows dataset rows as a trainer gets them: their tokens, and which of them are learnt. It does not import TRL.

The tokens are made by ``train.examples``, which makes those of the training, too.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import polars as pl

from curate.models.chat.chat import Chat
from schemas.recipe import Training
from train.examples.context import NO_LIMIT
from train.examples.examples import Examples
from train.examples.learnt_tokens import TokenSequence
from train.examples.loss_settings import LossSettings, loss_settings
from train.examples.pair_examples import dpo_examples, learnt_pairs, reward_examples
from train.examples.prompt_examples import prompt_examples, rendered_prompts
from train.examples.sft_examples import learnt_rows, sft_examples
from train.examples.unpaired_examples import learnt_answers, unpaired_examples
from train.rows.data import check_rows, refuse_tools
from train.rows.unshown import check_shown
from train.tables import MESSAGE_COLUMNS

NONE_DROPPED: Mapping[str, str] = MappingProxyType({})


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
        label: Whether the answer of an unpaired row is good; None for other rows, and where it is not known yet.
    """

    row_id: str
    column: str
    tokens: list[str]
    learnt: list[bool]
    length: int
    part: tuple[int, int] = (1, 1)
    reason: str | None = None
    label: bool | None = None


def training_examples(
    rows: pl.DataFrame, training: Training, dataset_type: str, chat: Chat, where: str, *, max_prompt: int = NO_LIMIT
) -> Examples:
    """Return rows as the training would get them, those that it would leave out, and the counts.

    Args:
        rows: Dataset rows.
        training: The training.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.
        chat: The model's chat template and tokenizer.
        where: The training's place in the recipe and its name, for errors.
        max_prompt: Online RL only: the most tokens of a prompt.

    Raises:
        UserError: A row is not a conversation, or has something that the template or the trainer does not show.
    """
    if training.rewards or training.teacher:  # answers are sampled
        refuse_tools(rows, where)
    dropped = check_rows(rows, dataset_type)
    kept = rows.join(dropped, on="row_id", how="anti", maintain_order="left")
    unshown = check_shown(kept, dataset_type, chat.template, training.unshown, where, training.model)
    kept = kept.join(unshown, on="row_id", how="anti", maintain_order="left")
    how = loss_settings(training.trainer, training.settings, training.unshown)
    if dataset_type == "prompt":
        examples = prompt_examples(kept, chat, how, max_prompt)
    else:
        of_pairs = reward_examples if _rewards(training.trainer) else dpo_examples
        make = {"sft": sft_examples, "unpaired": unpaired_examples}.get(dataset_type, of_pairs)
        examples = make(kept, chat, how)
    return Examples(
        examples.columns,
        dict(pl.concat([dropped, unshown]).rows()) | examples.dropped,
        examples.counts,
        examples.changes,
        examples.cuts,
        examples.lengths,
    )


def preview(
    rows: pl.DataFrame, training: Training, dataset_type: str, chat: Chat, dropped: Mapping[str, str] = NONE_DROPPED
) -> list[Sample]:
    """Return rows as a trainer gets them, a sample for each sequence of tokens.

    Args:
        rows: Rows that ``train.rows.data.check_rows`` accepts, beside those of ``dropped``.
        training: The training's entry in the recipe: its trainer and its settings, such as ``max_length``.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.
        chat: The model's chat template and tokenizer.
        dropped: The ids of the rows that the training leaves out, with the reason (``training_examples``).
    """
    how = loss_settings(training.trainer, training.settings, training.unshown)
    kept = rows.filter(~pl.col("row_id").is_in([*dropped]))
    if dataset_type == "sft":
        made = _sft_samples(kept, chat, how)
    elif dataset_type == "unpaired":
        made = _answer_samples(kept, chat, how)
    elif dataset_type == "preference":
        made = _pair_samples(kept, chat, how, slice(None) if _rewards(training.trainer) else how.kept)
    else:
        made = _prompt_samples(kept, chat, how)
    by_row = _by_row(made)
    column = MESSAGE_COLUMNS[dataset_type][:2][-1]
    for row_id, reason in dropped.items():
        by_row[row_id] = [Sample(row_id, column, [], [], 0, reason=reason)]
    return [sample for row_id in rows["row_id"] for sample in by_row[row_id]]


def _rewards(trainer: str) -> bool:
    """Return whether a trainer of pairs rewards whole conversations: it cuts none."""
    return trainer == "reward"


def _by_row(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        found.setdefault(sample.row_id, []).append(sample)
    return found


def _sft_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[Sample]:
    for row_id, row in learnt_rows(rows, chat, how):
        if row.reason is not None:
            yield Sample(row_id, "completion", [], [], 0, reason=row.reason)
        for number, (one, length) in enumerate(zip(row.sequences, row.lengths, strict=True), 1):
            part = (number, len(row.sequences))
            yield Sample(row_id, "completion", token_texts(one), one.learnt, length, part)


def _pair_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings, kept: slice) -> Iterator[Sample]:
    for row_id, pair in learnt_pairs(rows, chat, how):
        if pair.reason is not None:
            yield Sample(row_id, "chosen", [], [], 0, reason=pair.reason)
        for name, side in pair.sides:
            part = side.part(kept)
            yield Sample(row_id, name, token_texts(part), part.learnt, len(side.ids))


def _answer_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[Sample]:
    for row_id, row in learnt_answers(rows, chat, how):
        if row.sequence is None:
            yield Sample(row_id, "completion", [], [], 0, reason=row.reason)
            continue
        part = row.sequence.part(how.kept)
        yield Sample(row_id, "completion", token_texts(part), part.learnt, len(row.sequence.ids), label=row.label)


def _prompt_samples(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[Sample]:
    for row_id, _, text, _, reason in rendered_prompts(rows, chat, how):
        if text is None:
            yield Sample(row_id, "prompt", [], [], 0, reason=reason)
            continue
        encoding = chat.encode(text)
        sequence = TokenSequence(text, encoding.ids, encoding.offsets, [False] * len(encoding.ids), [])
        yield Sample(row_id, "prompt", token_texts(sequence), sequence.learnt, len(sequence.ids))


def token_texts(sequence: TokenSequence) -> list[str]:
    """Return the text of each token. A character of several tokens is the first one's, so that all texts add up."""
    texts, done = [], sequence.offsets[0][0] if sequence.offsets else 0
    for _, end in sequence.offsets:
        texts.append(sequence.text[done : max(done, end)])
        done = max(done, end)
    return texts
