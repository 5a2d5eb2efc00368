"""The kept rows by number: ids, scores and short columns in memory; texts stay on disk and are read by row number.

A file has at most ``PART`` rows, so the memory that reading needs does not depend on the number of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.polars_types import POLARS
from curate.storage.rows import CANDIDATES, RowSet
from schemas.rows import PROMPTS


@dataclass(frozen=True)
class RowTable:
    """The rows that no step has dropped, numbered in their order.

    Attributes:
        frame: Their short columns: ids, scores and others that the caller named.
        files: The Parquet files that hold them.
        file: For every row, the index of its file in ``files``.
        at: For every row, its index in that file.
    """

    frame: pl.DataFrame
    files: list[Path]
    file: np.ndarray
    at: np.ndarray


def read_row_table(rows: RowSet, names: Sequence[str] = ()) -> RowTable:
    """Return the kept rows, numbered.

    Args:
        rows: The rows.
        names: The table's own columns to hold in memory, beside the id and all scores.
    """
    files = [file for stage in rows.stages for file in stage.files(rows.table)]
    columns = list(dict.fromkeys([rows.id, *names]))
    parts = [
        read_table(file, columns).select(
            *columns, __file=pl.lit(number, pl.Int32), __at=pl.int_range(pl.len(), dtype=pl.Int32)
        )
        for number, file in enumerate(files)
    ]
    if not parts:
        types = {n: t for n, t in rows.columns().items() if n in columns}
        parts = [pl.DataFrame(schema={n: types[n] for n in columns} | {"__file": pl.Int32, "__at": pl.Int32})]
    frame = pl.concat(parts)
    kept_ids = rows.kept_ids[rows.id]
    if not frame[rows.id].equals(kept_ids):
        frame = frame.filter(pl.col(rows.id).is_in(kept_ids.implode()))
    if frame.height > kept_ids.len():  # two stages hold the same row
        frame = frame.unique(rows.id, keep="first", maintain_order=True)
    file, at = frame["__file"].to_numpy(), frame["__at"].to_numpy()
    frame = frame.select(columns)
    scores = [_score(rows, frame[rows.id], name) for name in rows.scores]
    return RowTable(frame.hstack(scores) if scores else frame, files, file, at)


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


def _score(rows: RowSet, ids: pl.Series, name: str) -> pl.Series:
    """Return the value of a scorer for each id; null where there is none."""
    parts = [
        stage.read("scores", ["row_id", "scorer", "value"]).filter(pl.col("scorer") == name)
        for stage in rows.scores[name]
    ]
    if not parts:
        return pl.Series(name, [None], dtype=pl.Float64).new_from_index(0, len(ids))
    found = pl.concat(parts)
    if len(found) == len(ids) and (found["row_id"] == ids).all():  # in the order of the scores: no join is needed
        return found["value"].rename(name)
    found = found.select("row_id", "value").unique("row_id", keep="first")
    found = pl.DataFrame({"row_id": ids}).join(found, on="row_id", how="left", maintain_order="left")
    return found["value"].rename(name)
