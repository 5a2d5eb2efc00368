"""The candidates that reach a dataset, numbered, with their prompts' numbers and scores."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from curate.storage.row_table import RowTable, gather, read_row_table
from curate.storage.rows import CANDIDATES, RowSet

SLICE = 50_000  # rows whose texts are in memory at a time
SHORT = ("sample_index", "model", "finish_reason", "prompt_tokens", "completion_tokens", "parent_id")


@dataclass(frozen=True)
class Candidates:
    """The candidates and their prompts; ``frame`` has ``__row``, ``__place`` (the prompt's row), ids and scores."""

    own: RowTable
    prompts: RowTable
    frame: pl.DataFrame


def read_candidates(completions: RowSet, prompts: RowSet, names: Collection[str] = SHORT) -> Candidates:
    """Read of the candidates that are in: ids, the short columns among ``names``, their scores and their prompt's."""
    own = read_row_table(completions, ["prompt_id", *(n for n in SHORT if n in names)])
    prompt_table = read_row_table(prompts)
    places = prompt_table.frame.select("prompt_id").with_row_index("__place")
    frame = own.frame.with_row_index("__row").join(places, on="prompt_id", how="left", maintain_order="left")
    above = [name for name in prompts.scores if name not in frame.columns]
    if above:
        frame = frame.hstack(prompt_table.frame.select(above)[frame["__place"]])
    return Candidates(own, prompt_table, frame)


def candidates_kept(candidates: Candidates, kept: np.ndarray) -> Candidates:
    """Return those of the candidates that are kept (a flag for each), numbered anew."""
    own, flags = candidates.own, pl.Series(kept, dtype=pl.Boolean)
    left = RowTable(own.frame.filter(flags), own.files, own.file[kept], own.at[kept])
    return Candidates(left, candidates.prompts, candidates.frame.filter(flags).drop("__row").with_row_index("__row"))


def with_columns(candidates: Candidates, frame: pl.DataFrame, names: list[str]) -> Iterator[pl.DataFrame]:
    """Yield rows of ``candidates.frame``, by slices: ``__row``, ``__place``, both ids and the columns ``names``."""
    wide = [n for n in dict.fromkeys(names) if n not in frame.columns]
    own = [n for n in wide if n in CANDIDATES]
    above = [n for n in wide if n not in CANDIDATES]
    narrow = dict.fromkeys(["__row", "__place", "completion_id", "prompt_id", *(n for n in names if n not in wide)])
    for part in frame.select(*narrow).iter_slices(SLICE):
        if own:
            part = part.hstack(gather(candidates.own, part["__row"], own))
        if above:
            part = part.hstack(gather(candidates.prompts, part["__place"], above))
        yield part
