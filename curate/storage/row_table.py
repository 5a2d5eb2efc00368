"""The kept rows by number: scores and short columns in memory; ids and texts are read from disk by row number.

A file has at most ``PART`` rows, so the memory that reading needs does not depend on the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.polars_types import POLARS
from curate.storage.row_set import CANDIDATES, RowSet
from curate.storage.score_values import score_parts
from schemas.rows import PROMPTS


@dataclass(frozen=True)
class RowTable:
    """The rows that no step has dropped, numbered in their order.

    Attributes:
        frame: Their short columns: scores and others that the caller named.
        files: The Parquet files that hold them.
        file: For every row, the index of its file in ``files``.
        at: For every row, its index in that file.
        id: The name of the column with their ids, which stay on disk.
    """

    frame: pl.DataFrame
    files: list[Path]
    file: np.ndarray
    at: np.ndarray
    id: str

    @property
    def height(self) -> int:
        """How many rows there are."""
        return len(self.at)

    @cached_property
    def ids(self) -> pl.Series:
        """The ids of all rows, read when they are first asked for and held from then on."""
        return gather(self, pl.Series(np.arange(self.height)), [self.id]).to_series()

    def ids_of(self, rows: pl.Series) -> pl.Series:
        """Return the ids of some rows, given by their numbers."""
        return gather(self, rows, [self.id]).to_series()


def read_row_table(rows: RowSet, names: Sequence[str] = ()) -> RowTable:
    """Return the kept rows, numbered.

    Args:
        rows: The rows.
        names: The table's own columns to hold in memory, beside all scores.
    """
    columns = list(dict.fromkeys(names))
    types = {n: t for n, t in rows.columns().items() if n in columns}
    frame = pl.DataFrame(schema={n: types[n] for n in columns})
    if columns:
        frame = pl.concat([frame, *(part for _, part in rows.read(columns))])
    file, at = row_places(rows)
    scores = [score_values(rows, name) for name in rows.scores]
    return RowTable(pl.DataFrame([*frame.get_columns(), *scores]), rows.files, file, at, rows.id)


def row_places(rows: RowSet) -> tuple[np.ndarray, np.ndarray]:
    """Return for every kept row the number of its file, and its place in that file (int32)."""
    places = [np.flatnonzero(rows.kept(number)).astype(np.int32) for number in range(len(rows.left))]
    files = np.repeat(np.arange(len(places), dtype=np.int32), [len(part) for part in places])
    return files, np.concatenate([np.zeros(0, np.int32), *places])


def gather(table: RowTable, rows: pl.Series, names: list[str]) -> pl.DataFrame:
    """Return columns of some rows, read from the files that hold them.

    Args:
        table: All rows.
        rows: The numbers of the rows to read; the result has them in this order.
        names: The columns to read.
    """
    held = ["messages" if name == "completion" else name for name in names]
    order = rows.to_numpy()
    files = table.file[order]
    parts, places = [], []
    for number in np.unique(files):
        wanted = np.flatnonzero(files == number)
        frame = read_table(table.files[number], list(dict.fromkeys(held)))
        parts.append(frame[table.at[order[wanted]]])
        places.append(wanted)
    if not parts:
        types = {name: POLARS[kind] for name, kind in {**PROMPTS, **CANDIDATES}.items()}
        return pl.DataFrame(schema={name: types[name] for name in names})
    back = np.argsort(np.concatenate(places), kind="stable")
    return pl.concat(parts)[back].select(pl.col(h).alias(name) for h, name in zip(held, names, strict=True))


def score_values(rows: RowSet, name: str) -> pl.Series:
    """Return the value of a scorer for each kept row; null where there is none."""
    values = [pl.Series(name, [], dtype=pl.Float64), *(values for _, values in score_parts(rows, name))]
    return pl.concat(values)
