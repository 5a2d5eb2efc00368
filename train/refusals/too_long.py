"""Finds rows that are longer than what their model reads: such a training may end in an error, or learn nonsense."""

from collections.abc import Iterator

import polars as pl

from curate.models.chat.chat import Chat
from schemas.recipe import Training
from train.examples.context import Context
from train.options import options
from train.preview import preview, training_examples
from train.refusals.refusal import Refusal
from train.tables import MESSAGE_COLUMNS

LOOKED_AT = 64  # rows, those of the most bytes


def too_long(
    training: Training, dataset_type: str, rows: pl.DataFrame, chat: Chat, context: Context, where: str
) -> Iterator[Refusal | str]:
    """Yield a refusal where a row has more tokens than the model has positions, or a warning where it can read them.

    Only rows of the most bytes are looked at.

    Args:
        training: The training.
        dataset_type: 'sft', 'preference' or 'unpaired'.
        rows: Its rows.
        chat: The model's chat template and tokenizer.
        context: How many tokens the model reads.
        where: The training's place in the recipe and its name, for errors.
    """
    most = training.settings.get("max_length", options.default(training.trainer, "max_length"))
    if context.tokens is None or (most is not None and most <= context.tokens):
        return
    names = [name for name in (*MESSAGE_COLUMNS[dataset_type], "tools") if name in rows.columns]
    size = sum(pl.col(name).str.len_bytes().fill_null(0) for name in names)
    longest = rows.sort(size, descending=True, maintain_order=True).head(LOOKED_AT)
    dropped = training_examples(longest, training, dataset_type, chat, where).dropped
    kept = longest.filter(~pl.col("row_id").is_in([*dropped]))
    lengths = [(len(one.tokens), one.row_id) for one in preview(kept, training, dataset_type, chat)]
    if not lengths or max(lengths)[0] <= context.tokens:
        return
    tokens, row_id = max(lengths)
    found = len({one for length, one in lengths if length > context.tokens})
    count = f"{'at least ' if found == LOOKED_AT else ''}{found:,} of {rows.height:,} rows"
    cut = "is not set" if most is None else f"is {most:,}"
    text = f"{count} have more tokens than the model's {context.tokens:,} positions (row {row_id}: {tokens:,})"
    remedy = f"max_length {cut}; set max_length: {context.tokens} or less, or leave these rows out (where:)"
    if context.fixed:
        yield Refusal("", text, f"it has no further ones, so that the training would end in an error; {remedy}")
    else:
        yield f"{text}; it was not made for longer sequences: {remedy}"
