"""Columns of the prompts of candidates, read for some candidates at a time."""

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.polars_types import empty
from curate.storage.row_numbers import NumberIndex, id_numbers, joined
from curate.storage.row_set import RowSet
from curate.storage.score_values import score_index
from schemas.rows import PROMPTS

FEW = 3  # files that are read for a batch of candidates, the last ones of which are held


class PromptColumns:
    """Columns of prompts and their scores, by the prompts' ids.

    Candidates that stand in the order of their prompts need a file of prompts or two at a time. Where a batch needs
    more than ``FEW``, the columns of all prompts are read once and held.
    """

    def __init__(self, prompts: RowSet, names: list[str]) -> None:
        """Take the prompts, and the names of the columns and scores to read."""
        self.prompts, self.names = prompts, [n for n in names if n in PROMPTS]
        self.order, self.files = names, prompts.files
        self.index = NumberIndex(joined(prompts.numbers)) if self.names else None
        self.ends = np.cumsum([0, *(len(numbers) for numbers in prompts.numbers)])
        self.scores = {n: score_index(prompts, n) for n in names if n in prompts.scores}
        self._held: dict[int, pl.DataFrame] = {}
        self._whole: pl.DataFrame | None = None

    def of(self, ids: pl.Series) -> list[pl.Series]:
        """Return the columns for prompts by their ids; null where there is no such prompt, or no such score."""
        numbers = id_numbers(ids)
        found = self._columns(self.index.find(numbers)) if self.index else {}
        for name, (index, values) in self.scores.items():
            found[name] = _at(values, index.find(numbers))
        return [found[name].rename(name) for name in self.order]

    def _columns(self, places: np.ndarray) -> dict[str, pl.Series]:
        known = np.unique(places[places >= 0])
        needed = np.unique(np.searchsorted(self.ends, known, side="right") - 1).tolist()
        if self._whole is None and len(needed) > FEW:
            parts = [read_table(file, self.names) for file in self.files]
            self._whole, self._held = pl.concat(parts), {}
        if self._whole is not None:
            return {name: _at(self._whole[name], places) for name in self.names}
        self._held = {n: self._held[n] if n in self._held else read_table(self.files[n], self.names) for n in needed}
        if not needed:
            return {name: _at(empty("prompts")[name], places) for name in self.names}
        shift = np.zeros(len(self.files), np.int64)  # from a place among all prompts to one among the files held
        shift[needed] = np.cumsum([0, *(self._held[n].height for n in needed)])[:-1] - self.ends[needed]
        of_file = np.clip(np.searchsorted(self.ends, places, side="right") - 1, 0, None)
        places = np.where(places < 0, -1, places + shift[of_file])
        frame = pl.concat([self._held[n] for n in needed], rechunk=True)
        return {name: _at(frame[name], places) for name in self.names}


def _at(values: pl.Series, places: np.ndarray) -> pl.Series:
    """Return the values at some places, null at -1."""
    if not len(values):
        return pl.Series(values.name, [None], dtype=values.dtype).new_from_index(0, len(places))
    return values.gather(pl.select(pl.when(pl.Series(places) >= 0).then(pl.Series(places))).to_series())
