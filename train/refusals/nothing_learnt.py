"""Finds trainings that would learn nothing of their rows, before one is done and without loading a model.

The rows are made into the examples that the training would get, by the chat template and the tokenizer of its model and
its own options, until there is one to learn from: usually one of the first rows. KTO needs one of each label.
"""

from collections.abc import Iterator

import polars as pl

from curate.models.chat.chat import Chat
from schemas.recipe import Training
from train.examples.examples import FATES
from train.options.best_model import effective_settings, evaluates
from train.preview import training_examples
from train.refusals.refusal import Refusal
from train.rows.training_rows import reasons_of
from train.rows.unpaired_labels import REMEDY

FIRST_ROWS = 32  # that are looked at before further ones are
MEND = "look at these rows ('gristmill check' shows some), at max_length and at the dataset"


def nothing_learnt(
    training: Training, dataset_type: str, rows: pl.DataFrame, eval_rows: pl.DataFrame, chat: Chat, where: str,
    max_prompt: int,
) -> Iterator[Refusal]:  # fmt: skip
    """Yield a refusal where no row of a training can be learnt, or none of a label, or none can be evaluated on.

    Args:
        training: The training; its ``model`` is the name of the one that it starts from, for errors.
        dataset_type: 'sft', 'preference', 'unpaired' or 'prompt'.
        rows: Its rows, without those that are left out already.
        eval_rows: Those that it may evaluate on.
        chat: The model's chat template and tokenizer.
        where: The training's place in the recipe and its name, for errors.
        max_prompt: Online RL only: the most tokens of a prompt.

    Raises:
        UserError: A row is not a conversation, or is not shown whole.
    """

    def left_out(some: pl.DataFrame) -> pl.DataFrame:
        return _left_out(some, training, dataset_type, chat, where, max_prompt)

    if dataset_type == "unpaired":
        fates = {label: left_out(rows.filter(pl.col("label") == label)) for label in (True, False)}
    else:
        fates = {None: left_out(rows)}
    if all(not one.is_empty() for one in fates.values()):
        yield Refusal("", f"no row is left to train on: {reasons_of(pl.concat(fates.values()))}", MEND)
        return
    for label, one in fates.items():
        if not one.is_empty():
            kind = "good" if label else "bad"
            text = f"none of the {one.height:,} {kind} answers is left to learn from: {reasons_of(one)}"
            yield Refusal("", text, f"{MEND}; {REMEDY}")
    if evaluates(effective_settings(training)):
        fate = left_out(eval_rows)
        if not fate.is_empty():
            yield Refusal("", f"it evaluates, but no held-out row can be used: {reasons_of(fate)}", MEND)


def _left_out(
    rows: pl.DataFrame, training: Training, dataset_type: str, chat: Chat, where: str, max_prompt: int
) -> pl.DataFrame:
    """Return why each row is left out (``row_id`` and ``fate``); none where some row is not."""
    fates: dict[str, str] = {}
    start, size = 0, FIRST_ROWS
    while start < rows.height:
        examples = training_examples(
            rows[start : start + size], training, dataset_type, chat, where, max_prompt=max_prompt
        )
        if examples.columns:
            return pl.DataFrame(schema=FATES)
        fates |= examples.dropped
        start, size = start + size, 2 * size
    return pl.DataFrame({"row_id": [*fates], "fate": [*fates.values()]}, schema=FATES)
