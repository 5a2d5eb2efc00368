"""Write the rows of a dataset with their splits."""

from collections.abc import Iterator

import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.dataset_spec import NOUNS, DatasetSpec
from curate.datasets.labels import label_note
from curate.datasets.learnt import Learnt, with_context
from curate.datasets.split_notes import shares_note
from curate.datasets.trl_rows import (
    preference_rows,
    prompt_splits,
    rl_rows,
    sft_rows,
    summary_columns,
    unpaired_rows,
)
from curate.storage.polars_types import empty
from curate.storage.row_table import RowTable
from curate.storage.stage import StageWriter
from schemas.rows import DATASET_TABLES


def write_prompts(spec: DatasetSpec, prompts: RowTable, made: pl.DataFrame, writer: StageWriter) -> str:
    """Write a dataset of prompts; return how many rows each split has."""
    rows = rl_rows(prompts, made, [name for name in summary_columns(spec.scorers) if name in made.columns])
    return _write(spec, rows, made, prompt_splits(spec.recipe, spec.prompts, spec.shares_of, prompts), writer)


def write_rows(
    spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame, writer: StageWriter, left_out: int = 0
) -> str:
    """Write a dataset of candidates or pairs, in the order of its prompts; return how many rows each split has.

    Args:
        spec: The dataset.
        candidates: The candidates.
        made: The rows by number.
        writer: Writes them.
        left_out: How many turns of the assistant the candidates have that an SFT row could not learn.
    """
    made = made.sort("__place", maintain_order=True)
    splits = prompt_splits(spec.recipe, spec.prompts, spec.shares_of, candidates.prompts)
    if spec.entry.type == "unpaired":
        rows = unpaired_rows(candidates, made, spec.by, spec.scorers)
        return _write(spec, rows, made, splits, writer)
    if spec.entry.type == "preference":
        return _write(spec, preference_rows(candidates, made, spec.by, spec.scorers), made, splits, writer)
    rows = sft_rows(candidates, made, spec.by, spec.scorers)
    if spec.entry.learn == "last":
        rows = (part.with_columns(with_context(part["prompt"])) for part in rows)
    return _write(spec, rows, made, splits, writer, Learnt(left_out=left_out))


def _write(
    spec: DatasetSpec,
    rows: Iterator[pl.DataFrame],
    made: pl.DataFrame,
    split: pl.Series,
    writer: StageWriter,
    learnt: Learnt | None = None,
) -> str:
    """Write rows with their splits; with ``learnt``, count what they learn."""
    table, written = DATASET_TABLES[spec.entry.type], 0
    empty_splits = [name for name in spec.recipe.splits if len(split) and not (split == name).any()]
    split = split[made["__place"]].rename("split")
    for part in learnt.of_rows(rows) if learnt else rows:
        splits = split[written : written + part.height]
        writer.write(table, part.with_columns(splits, dataset=pl.lit(spec.name)))
        written += part.height
    if not written:
        writer.write(table, empty(table))
    counts = split.value_counts(sort=True).rows()
    of_splits = f" ({', '.join(f'{n:,} {name}' for name, n in counts)})" if counts else ""
    note = f"; no prompt is in the split {', '.join(empty_splits)}" if empty_splits else ""
    note = shares_note(spec.recipe, spec.prompts, spec.shares_of) + note
    if spec.entry.type == "unpaired":
        of_splits += label_note(spec, made)
    if learnt:
        writer.info["learnt"] = learnt.counts()
        of_splits += learnt.note(made.height)
    return f"{made.height:,} {NOUNS[spec.entry.type]}{of_splits}{note}"
