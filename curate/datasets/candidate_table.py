"""The candidates that reach a dataset, numbered, with their prompts' numbers and scores."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from curate.storage.row_numbers import NumberIndex, id_numbers
from curate.storage.row_table import RowTable, gather, read_row_table
from curate.storage.rows import CANDIDATES, RowSet

SLICE = 50_000  # rows whose texts are in memory at a time
SHORT = ("sample_index", "model", "finish_reason", "prompt_tokens", "completion_tokens", "parent_id")


@dataclass(frozen=True)
class Candidates:
    """The candidates and their prompts.

    Attributes:
        own: The candidates by number.
        prompts: The prompts by number.
        short: Of every candidate ``__row``, ``__place`` (the prompt's row), scores and short columns.
    """

    own: RowTable
    prompts: RowTable
    short: pl.DataFrame

    @cached_property
    def frame(self) -> pl.DataFrame:
        """``short`` with both ids, for what cannot do without the ids of all candidates at once."""
        return with_ids(self, self.short)


def read_candidates(completions: RowSet, prompts: RowSet, names: Collection[str] = SHORT) -> Candidates:
    """Read of the candidates that are in: the short columns among ``names``, their scores and their prompt's."""
    own = read_row_table(completions, [n for n in SHORT if n in names])
    table = read_row_table(prompts)
    places = NumberIndex(prompts.kept_numbers)
    found = [np.zeros(0, np.int64)]
    found += [places.find(id_numbers(frame["prompt_id"])) for _, frame in completions.read(["prompt_id"])]
    place = pl.Series("__place", np.concatenate([part.astype(np.int32) for part in found]))
    place = pl.select(pl.when(place >= 0).then(place).cast(pl.UInt32).alias("__place")).to_series()
    row = pl.Series("__row", np.arange(own.height, dtype=np.uint32))
    short = pl.DataFrame([row, place, *own.frame.get_columns()])
    above = [name for name in prompts.scores if name not in short.columns]
    if above:
        short = short.hstack([table.frame[name].gather(place) for name in above])
    return Candidates(own, table, short)


def with_ids(candidates: Candidates, rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of ``candidates.short`` with their ``completion_id`` and ``prompt_id``."""
    return rows.hstack(gather(candidates.own, rows["__row"], ["completion_id", "prompt_id"]))


def candidates_kept(candidates: Candidates, kept: np.ndarray) -> Candidates:
    """Return those of the candidates that are kept (a flag for each), numbered anew."""
    own, flags = candidates.own, pl.Series(kept, dtype=pl.Boolean)
    left = RowTable(
        own.frame.filter(flags) if own.frame.width else own.frame, own.files, own.file[kept], own.at[kept], own.id
    )
    row = pl.Series("__row", np.arange(left.height, dtype=np.uint32))
    return Candidates(left, candidates.prompts, candidates.short.filter(flags).with_columns(row))


def with_columns(candidates: Candidates, frame: pl.DataFrame, names: list[str]) -> Iterator[pl.DataFrame]:
    """Yield rows of ``candidates.short``, by slices: ``__row``, ``__place`` and the columns ``names``."""
    wide = [n for n in dict.fromkeys(names) if n not in frame.columns]
    own = [n for n in wide if n in CANDIDATES]
    above = [n for n in wide if n not in CANDIDATES]
    narrow = dict.fromkeys(["__row", "__place", *(n for n in names if n not in wide)])
    for part in frame.select(*narrow).iter_slices(SLICE):
        if own:
            part = part.hstack(gather(candidates.own, part["__row"], own))
        if above:
            part = part.hstack(gather(candidates.prompts, part["__place"], above))
        yield part
