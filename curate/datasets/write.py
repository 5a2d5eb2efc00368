"""Write the rows of a dataset with their splits."""

from collections.abc import Iterator

import polars as pl

from curate.datasets.candidate_table import Candidates
from curate.datasets.dataset_spec import NOUNS, DatasetSpec
from curate.datasets.trl_rows import preference_rows, prompt_splits, rl_rows, sft_rows, summary_columns
from curate.storage.polars_types import empty
from curate.storage.row_table import RowTable
from curate.storage.stage import StageWriter
from schemas.rows import DATASET_TABLES


def write_prompts(spec: DatasetSpec, prompts: RowTable, made: pl.DataFrame, writer: StageWriter) -> str:
    """Write a dataset of prompts; return how many rows each split has."""
    rows = rl_rows(prompts, made, [name for name in summary_columns(spec.scorers) if name in made.columns])
    return _write(spec, rows, made, prompt_splits(spec.recipe, spec.prompts, spec.shares_of, prompts), writer)


def write_rows(spec: DatasetSpec, candidates: Candidates, made: pl.DataFrame, writer: StageWriter) -> str:
    """Write a dataset of candidates or pairs, in the order of its prompts; return how many rows each split has."""
    made = made.sort("__place", maintain_order=True)
    form = sft_rows if spec.entry.type == "sft" else preference_rows
    rows = form(candidates, made, spec.by, spec.scorers)
    splits = prompt_splits(spec.recipe, spec.prompts, spec.shares_of, candidates.prompts)
    return _write(spec, rows, made, splits, writer)


def _write(
    spec: DatasetSpec, rows: Iterator[pl.DataFrame], made: pl.DataFrame, split: pl.Series, writer: StageWriter
) -> str:
    table, written = DATASET_TABLES[spec.entry.type], 0
    empty_splits = [name for name in spec.recipe.split if len(split) and not (split == name).any()]
    split = split[made["__place"]].rename("split")
    for part in rows:
        splits = split[written : written + part.height]
        writer.write(table, part.with_columns(splits, dataset=pl.lit(spec.name)))
        written += part.height
    if not written:
        writer.write(table, empty(table))
    counts = split.value_counts(sort=True).rows()
    of_splits = f" ({', '.join(f'{n:,} {name}' for name, n in counts)})" if counts else ""
    note = f"; no prompt is in the split {', '.join(empty_splits)}" if empty_splits else ""
    return f"{made.height:,} {NOUNS[spec.entry.type]}{of_splits}{note}"
