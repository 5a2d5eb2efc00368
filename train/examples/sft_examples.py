"""SFT rows as token ids and labels: every assistant's turn that is not marked otherwise is learnt, and nothing else."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import polars as pl

from curate.models.chat.chat import Chat
from curate.models.chat.chat_template import TemplateRefused
from schemas.learnt_turns import is_learnt
from train.examples.cuts import Loss, calls_of, loss_of
from train.examples.examples import Examples
from train.examples.fitted import fitted
from train.examples.learnt_tokens import Rendered, TokenSequence, render_all, render_learnt, token_sequences
from train.examples.loss_settings import LossSettings

SLICE = 256  # rows that are rendered at a time
AT_ONCE = 16  # sequences of a row with several that are tokenised at a time
CUT_OFF = "longer than max_length: none of the answer is left"
NOTHING_MARKED = "every answer is marked as not to be learnt (weight: 0)"
NOTHING_PRINTED = "the model's chat template prints nothing of its answer"
IGNORED = -100  # the label of a token that does not enter the loss, in torch


class Learnt(NamedTuple):
    """A row as a trainer gets it: its sequences, cut at ``max_length``, or why it is left out.

    Attributes:
        sequences: The sequences; none where the row is left out.
        lengths: Their lengths before they were cut, in tokens.
        reason: Why the row is left out, or None.
        calls: How many tool calls are learnt.
        loss: What is cut off at ``max_length``.
        changes: What was changed so that the template can print the messages.
    """

    sequences: list[TokenSequence]
    lengths: list[int]
    reason: str | None = None
    calls: int = 0
    loss: Loss = Loss(0, 0, 0, 0, 0)
    changes: frozenset[str] = frozenset()

    @property
    def cut(self) -> int:
        """How many tokens were cut off that would have been learnt."""
        return self.loss.lost


def sft_examples(rows: pl.DataFrame, chat: Chat, how: LossSettings, *, first_index: int = 0) -> Examples:
    """Return SFT rows as token ids and labels.

    Args:
        rows: Rows that ``train.rows.data.check_rows`` accepts.
        chat: The model's chat template and tokenizer.
        how: What is learnt.
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    examples = Examples()
    for index, (row_id, row) in enumerate(learnt_rows(rows, chat, how), first_index):
        if row.loss.learnt:
            examples.note_loss(row_id, row.loss, left_out=row.reason is not None)
        if row.reason is not None:
            examples.dropped[row_id] = row.reason
            continue
        examples.changes.update(row.changes)
        examples.counts.update(rows=1, sequences=len(row.sequences), calls=row.calls)
        examples.counts.update(cut_rows=row.cut > 0, cut_tokens=row.cut)
        for one in row.sequences:
            examples.counts.update(turns=len(one.turns), tokens=sum(one.learnt), all_tokens=len(one.ids))
            labels = [i if flag else IGNORED for i, flag in zip(one.ids, one.learnt, strict=True)]
            examples.add({"row_index": index, "input_ids": one.ids, "labels": labels})
    return examples


def learnt_rows(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[tuple[str, Learnt]]:
    """Yield the id of each SFT row with its sequences."""
    names = [name for name in ("row_id", "prompt", "completion", "tools") if name in rows.columns]
    for part in rows.select(names).iter_slices(SLICE):
        printed = [_print(row, chat, how) for row in part.iter_rows(named=True)]
        single = iter(token_sequences(chat, [one.texts[0] for one in printed if len(one.texts) == 1]))
        for row_id, one in zip(part["row_id"], printed, strict=True):
            yield row_id, _learn(one, [[next(single)]] if len(one.texts) == 1 else _several(one, chat), chat, how)


class _Printed(NamedTuple):
    """A row's messages as the template prints them, or why it can't."""

    messages: list[dict[str, Any]]
    texts: list[Rendered]
    reason: str | None = None
    changes: frozenset[str] = frozenset()


def _print(row: dict[str, Any], chat: Chat, how: LossSettings) -> _Printed:
    prompt, completion = json.loads(row["prompt"]), json.loads(row["completion"])
    tools = json.loads(row["tools"]) if row.get("tools") else None
    messages = [*prompt, *completion]
    first = len(prompt) if how.completion_only else 0
    flags = [i >= first and is_learnt(messages[i]) for i in _answers(messages)]
    if not any(flags):
        return _Printed(messages, [], NOTHING_MARKED)
    messages, changes = fitted(messages, chat.template, how)
    # Fitting may take a system turn away: the answers are the same ones, in other places.
    learnt = [i for i, is_flagged in zip(_answers(messages), flags, strict=True) if is_flagged]
    try:
        if how.every_token:
            return _Printed(messages, [render_all(chat.template, messages, tools, learnt)], None, changes)
        return _Printed(messages, render_learnt(chat.template, messages, tools, learnt), None, changes)
    except TemplateRefused as error:
        return _Printed(messages, [], f"the model's chat template refuses it: {error}")


def _answers(messages: list[dict[str, Any]]) -> list[int]:
    """Return the places of the assistant's messages."""
    return [i for i, message in enumerate(messages) if message["role"] == "assistant"]


def _several(printed: _Printed, chat: Chat) -> Iterator[list[TokenSequence]]:
    """Yield the sequences of a row that has several, some at a time: each repeats the history."""
    for start in range(0, len(printed.texts), AT_ONCE):
        yield token_sequences(chat, printed.texts[start : start + AT_ONCE])


def _learn(printed: _Printed, batches: Iterable[list[TokenSequence]], chat: Chat, how: LossSettings) -> Learnt:
    """Cut a row's sequences at ``max_length`` and leave out those of which nothing is left to learn."""
    if printed.reason is not None:
        return Learnt([], [], printed.reason)
    kept, lengths, losses, done = [], [], [Loss(0, 0, 0, 0, 0)], 0
    for batch in batches:
        parts = [one.part(how.kept) for one in batch]
        with_learnt = [(part, len(one.ids)) for part, one in zip(parts, batch, strict=True) if any(part.learnt)]
        kept += [part for part, _ in with_learnt]
        lengths += [length for _, length in with_learnt]
        losses.append(loss_of(batch, how.kept, printed.messages))
        done += len(batch)
        if not any(parts[-1].learnt) and not how.keep_end:  # longer histories follow: their turns are only counted
            losses.append(_loss_of_turns(printed, printed.texts[done:], chat))
            break
    *sums, longest = zip(*losses, strict=True)
    loss = Loss(*map(sum, sums), max(longest))
    if not kept:
        return Learnt([], [], CUT_OFF if loss.learnt else NOTHING_PRINTED, loss=loss)
    calls = calls_of([turn for one in kept for turn in one.turns], printed.messages)
    return Learnt(kept, lengths, None, calls, loss, printed.changes)


def _loss_of_turns(printed: _Printed, texts: list[Rendered], chat: Chat) -> Loss:
    """Return what is lost with texts of which nothing is left: their turns, without their history."""
    if not texts:
        return Loss(0, 0, 0, 0, 0)
    turns = [one.text[start:end] for one in texts for start, end in one.learnt]
    tokens = sum(len(encoding.ids) for encoding in chat.tokenizer.encode_batch(turns, add_special_tokens=False))
    lost = [turn for one in texts for turn in one.turns]
    return Loss(tokens, tokens, len(lost), calls_of(lost, printed.messages), len(chat.encode(texts[-1].text).ids))
