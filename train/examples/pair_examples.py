"""Preference rows as token ids: a prompt, and the tokens of its chosen and its rejected answer.

Of an answer of several turns (a call, its result, the answer) the assistant's turns count, as in SFT.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import polars as pl

from curate.models.chat.chat import Chat
from train.examples.cuts import loss_of
from train.examples.examples import Examples
from train.examples.learnt_tokens import TokenSequence, token_sequences
from train.examples.loss_settings import LossSettings
from train.examples.printed_answers import printed_answers
from train.examples.sft_examples import NOTHING_PRINTED, SLICE

SIDES = ("chosen", "rejected")
PROMPT_TOO_LONG = "longer than max_length: none of the answer is left"
PAIR_TOO_LONG = "longer than max_length, in one of its answers"
SAME = "chosen and rejected are the same tokens, as the chat template prints them"
SAME_ONCE_CUT = "chosen and rejected are the same tokens once cut at max_length"


class LearntPair(NamedTuple):
    """A pair as a trainer gets it: both conversations, or why it is left out, and what was changed to print them.

    ``calls`` is how many tool calls both answers have.
    """

    chosen: TokenSequence | None
    rejected: TokenSequence | None
    reason: str | None = None
    changes: frozenset[str] = frozenset()
    calls: int = 0

    @property
    def sides(self) -> list[tuple[str, TokenSequence]]:
        """The conversations that there are, by the names of their columns."""
        both = zip(SIDES, (self.chosen, self.rejected), strict=True)
        return [(name, side) for name, side in both if side is not None]


def dpo_examples(rows: pl.DataFrame, chat: Chat, how: LossSettings, *, first_index: int = 0) -> Examples:
    """Return pairs in the columns of ``trl.DPOTrainer``, and the flags of the tokens that count.

    The columns are ``prompt_ids``, ``chosen_ids``, ``rejected_ids``, ``chosen_learnt`` and ``rejected_learnt``. TRL's
    collator cuts them at ``max_length``; a pair of which it would leave no answer is left out here.

    Args:
        rows: Rows that ``train.rows.data.check_rows`` accepts.
        chat: The model's chat template and tokenizer.
        how: Where pairs are cut.
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    examples = Examples()
    for index, (row_id, pair) in enumerate(learnt_pairs(rows, chat, how), first_index):
        kept = [side.part(how.kept) for _, side in pair.sides]
        reason = pair.reason or _reason(pair, kept)
        _note_loss(examples, row_id, pair, how.kept, left_out=reason is not None and reason != SAME)
        if reason is not None:
            examples.dropped[row_id] = reason
            continue
        _count(examples, pair, how)
        shared = shared_length(pair)
        example: dict[str, Any] = {"row_index": index}
        for name, side in pair.sides:
            example["prompt_ids"] = side.ids[:shared]
            example |= {f"{name}_ids": side.ids[shared:], f"{name}_learnt": side.learnt[shared:]}
        examples.add(example)
    return examples


def reward_examples(rows: pl.DataFrame, chat: Chat, how: LossSettings, *, first_index: int = 0) -> Examples:
    """Return pairs in the columns of ``trl.RewardTrainer``, which rewards whole conversations and cuts none.

    Args:
        rows: Rows that ``train.rows.data.check_rows`` accepts.
        chat: The model's chat template and tokenizer.
        how: The most tokens of a conversation; a pair with a longer one is left out.
        first_index: The ``row_index`` of the first row; the others count on from it.
    """
    examples = Examples()
    for index, (row_id, pair) in enumerate(learnt_pairs(rows, chat, how), first_index):
        too_long = how.max_length is not None and any(len(side.ids) > how.max_length for _, side in pair.sides)
        same = len({tuple(side.ids) for _, side in pair.sides}) == 1
        reason = pair.reason or (PAIR_TOO_LONG if too_long else SAME if same else None)
        _note_loss(examples, row_id, pair, slice(None), left_out=reason == PAIR_TOO_LONG)
        if reason is not None:
            examples.dropped[row_id] = reason
            continue
        _count(examples, pair, how)
        examples.add({"row_index": index} | {f"{name}_ids": side.ids for name, side in pair.sides})
    return examples


def _reason(pair: LearntPair, kept: list[TokenSequence]) -> str | None:
    """Return why a pair whose conversations are cut as ``kept`` teaches nothing; None where it does."""
    if not all(any(side.learnt) for side in kept):
        return PROMPT_TOO_LONG
    if kept[0].ids != kept[1].ids:
        return None
    return SAME if len({tuple(side.ids) for _, side in pair.sides}) == 1 else SAME_ONCE_CUT


def _note_loss(examples: Examples, row_id: str, pair: LearntPair, kept: slice, *, left_out: bool) -> None:
    """Keep what the conversations of a pair that has any lose at ``max_length``."""
    if pair.sides:
        examples.note_loss(row_id, loss_of([side for _, side in pair.sides], kept), left_out=left_out)


def shared_length(pair: LearntPair) -> int:
    """Return how many tokens both conversations have in common before either answer begins."""
    (_, chosen), (_, rejected) = pair.sides
    most = min(side.learnt.index(True) for side in (chosen, rejected))
    together = zip(chosen.ids[:most], rejected.ids[:most], strict=True)
    return next((i for i, (one, other) in enumerate(together) if one != other), most)


def learnt_pairs(rows: pl.DataFrame, chat: Chat, how: LossSettings) -> Iterator[tuple[str, LearntPair]]:
    """Yield the id of each preference row with its conversations."""
    names = [name for name in ("row_id", "prompt", *SIDES, "tools") if name in rows.columns]
    for part in rows.select(names).iter_slices(SLICE):
        printed = [printed_answers(row, SIDES, chat, how) for row in part.iter_rows(named=True)]
        sequences = iter(token_sequences(chat, [text for one in printed for text in one.texts]))
        for row_id, one in zip(part["row_id"], printed, strict=True):
            sides, reason = [next(sequences) for _ in one.texts], one.reason
            if not all(any(side.learnt) for side in sides):
                sides, reason = [], NOTHING_PRINTED
            yield row_id, LearntPair(*(sides or (None, None)), reason, one.changes, one.calls)


def _count(examples: Examples, pair: LearntPair, how: LossSettings) -> None:
    examples.changes.update(pair.changes)
    lost = 0
    for _, side in pair.sides:
        kept = side.part(how.kept)
        lost += sum(side.learnt) - sum(kept.learnt)
        examples.counts.update(turns=len(kept.turns), tokens=sum(kept.learnt), all_tokens=len(kept.ids))
    examples.counts.update(rows=1, sequences=2, calls=pair.calls, cut_rows=lost > 0, cut_tokens=lost)
