"""Unpaired rows as token ids: a prompt, the tokens of its one answer, and whether that is a good one.

Of an answer of several turns (a call, its result, the answer) the assistant's turns count, as in a pair.
"""

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from curate.models.chat.chat import Chat
from train.examples.cuts import loss_of
from train.examples.examples import Examples
from train.examples.learnt_tokens import TokenSequence, token_sequences
from train.examples.loss_settings import LossSettings
from train.examples.printed_answers import printed_answers
from train.examples.sft_examples import CUT_OFF, NOTHING_PRINTED, SLICE

ANSWER = ("completion",)


class LearntAnswer(NamedTuple):
    """A row as a trainer gets it: its conversation, or why it is left out.

    Attributes:
        sequence: The conversation before it is cut at ``max_length``; None where the row is left out.
        label: Whether the answer is good; None where that is not known yet.
        reason: Why the row is left out, or None.
        changes: What was changed so that the template can print the messages.
        calls: How many tool calls the answer has.
    """

    sequence: TokenSequence | None
    label: bool | None
    reason: str | None = None
    changes: frozenset[str] = frozenset()
    calls: int = 0


def unpaired_examples(rows: pl.DataFrame, chat: Chat, how: LossSettings, *, first_index: int = 0) -> Examples:
    """Return unpaired rows in the columns of ``trl.KTOTrainer``, and the flags of the tokens that count.

    The columns are ``prompt_ids``, ``completion_ids``, ``completion_learnt`` and ``label``. TRL's collator cuts them at
    ``max_length``; a row of which it would leave no answer is left out here. ``counts`` has ``good`` and ``bad`` too.

    Args:
        rows: Rows that ``train.rows.data.check_rows`` accepts.
        chat: The model's chat template and tokenizer.
        how: Where rows are cut.
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    examples = Examples()
    for index, (row_id, row) in enumerate(learnt_answers(rows, chat, how), first_index):
        kept = row.sequence.part(how.kept) if row.sequence is not None else None
        if row.sequence is not None and kept is not None:
            examples.note_loss(row_id, loss_of([row.sequence], how.kept), left_out=not any(kept.learnt))
        if row.sequence is None or kept is None or not any(kept.learnt):
            examples.dropped[row_id] = row.reason or CUT_OFF
            continue
        lost = sum(row.sequence.learnt) - sum(kept.learnt)
        examples.changes.update(row.changes)
        examples.counts.update(turns=len(kept.turns), tokens=sum(kept.learnt), all_tokens=len(kept.ids))
        examples.counts.update(rows=1, sequences=1, calls=row.calls, cut_rows=lost > 0, cut_tokens=lost)
        examples.counts.update(good=row.label is True, bad=row.label is False)
        start = row.sequence.learnt.index(True)
        examples.add(
            {
                "row_index": index,
                "prompt_ids": row.sequence.ids[:start],
                "completion_ids": row.sequence.ids[start:],
                "completion_learnt": row.sequence.learnt[start:],
                "label": row.label,
            }
        )
    return examples


def learnt_answers(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[tuple[str, LearntAnswer]]:
    """Yield the id of each unpaired row with its conversation."""
    names = [name for name in ("row_id", "prompt", *ANSWER, "tools", "label") if name in rows.columns]
    for part in rows.select(names).iter_slices(SLICE):
        found = list(part.iter_rows(named=True))
        printed = [printed_answers(row, ANSWER, chat, how) for row in found]
        sequences = iter(token_sequences(chat, [text for one in printed for text in one.texts]))
        for row, one in zip(found, printed, strict=True):
            sequence, reason = next(sequences) if one.texts else None, one.reason
            if sequence is not None and not any(sequence.learnt):
                sequence, reason = None, NOTHING_PRINTED
            yield row["row_id"], LearntAnswer(sequence, row["label"], reason, one.changes, one.calls)
