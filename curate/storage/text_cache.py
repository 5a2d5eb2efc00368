"""Numbers made of texts once and kept in the store by the hash of the text: embeddings, sketches.

A folder holds those of one maker (a model, or a step with its settings): Parquet files of some hundred rows, written as
they are made, with the columns ``text_hash`` and ``value``. One that is there is whole, so a process that is killed
goes on where it was. What is asked for comes back as one column that is mapped from a file: at no time is all of it in
memory.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from pyarrow.parquet import write_table

from curate.storage.mapped_columns import as_series, disk_failed, mapped_rows
from schemas.ids import fingerprint
from schemas.progress import Progress

BLOCK = 50_000  # texts in memory at a time


def cached_by_text(
    texts: pl.Series, folder: Path, make: Callable[[pl.Series], np.ndarray], shard: int, progress: Progress, label: str
) -> pl.Series:
    """Return what ``make`` makes of each text, as a Series of ``Array(..., d)``; a null text counts as empty.

    ``make`` takes texts and returns an array with a row for each; it is called for ``shard`` texts at a time, those of
    like length together, and only for texts that ``folder`` has nothing of. Raises ``Failed`` if the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for leftover in folder.glob(".*"):  # of a process that was killed while it wrote
        leftover.unlink(missing_ok=True)
    rows = pl.DataFrame({"text_hash": _hashes(texts)}).with_row_index("row")
    there = _index(folder)
    missing = rows.join(there, on="text_hash", how="anti").unique("text_hash", keep="first")
    progress.begin(label, missing.height, "texts")
    if missing.height:
        lengths = texts.str.len_bytes().fill_null(0)
        missing = missing.with_columns(length=lengths.gather(missing["row"])).sort("length", "text_hash")
        for part in missing.iter_slices(shard):
            values = np.ascontiguousarray(make(texts.gather(part["row"]).fill_null("")))
            there = pl.concat([there, _write(folder, part["text_hash"], values)])
            progress.advance(part.height)
    return as_series(_gather(rows, there, folder), "value")


def _hashes(texts: pl.Series) -> pl.Series:
    parts = []
    for low in range(0, len(texts), BLOCK):
        block = texts[low : low + BLOCK].fill_null("")
        parts.append(pl.Series([hashlib.sha256(t.encode("utf-8", "surrogatepass")).hexdigest()[:32] for t in block]))
    return pl.concat(parts) if parts else pl.Series([], dtype=pl.String)


def _index(folder: Path) -> pl.DataFrame:
    """Where each text's numbers are: ``text_hash``, ``file`` (its name) and ``at`` (the row in it)."""
    kinds = {"text_hash": pl.String, "file": pl.String, "at": pl.Int64}
    parts = [
        pl.read_parquet(file, columns=["text_hash"]).select(
            "text_hash", file=pl.lit(file.name), at=pl.int_range(pl.len())
        )
        for file in sorted(folder.glob("*.parquet"))
    ]
    found = pl.concat([pl.DataFrame(schema=kinds), *parts])
    return found.unique("text_hash", keep="first", maintain_order=True)


def _write(folder: Path, hashes: pl.Series, values: np.ndarray) -> pl.DataFrame:
    name = f"{fingerprint(hashes.to_list())[:16]}.parquet"
    hidden = folder / f".{name}"
    try:
        table = pl.DataFrame({"text_hash": hashes, "value": as_series(values, "value")}).to_arrow()
        write_table(table, hidden, compression="none")  # not Polars, whose errors do not say that the disk is full
        with open(hidden, "rb") as file:
            os.fsync(file)  # a name must never come before its content, whatever happens to the power
        hidden.rename(folder / name)
    except OSError as error:
        hidden.unlink(missing_ok=True)
        raise disk_failed(folder, error) from None
    return pl.DataFrame({"text_hash": hashes}).select("text_hash", file=pl.lit(name), at=pl.int_range(pl.len()))


def _gather(rows: pl.DataFrame, there: pl.DataFrame, folder: Path) -> np.ndarray:
    """The numbers of each row, in order, file by file."""
    places = rows.join(there, on="text_hash").select("row", "file", "at").sort("file", "row")
    made = np.zeros((0, 0), np.float32)
    for (name,), part in places.group_by("file", maintain_order=True):
        values = pl.read_parquet(folder / name, columns=["value"])["value"].to_numpy()
        if not made.size:
            made = mapped_rows(rows.height, values.shape[1], values.dtype, folder)
        made[part["row"].to_numpy()] = values[part["at"].to_numpy()]
    return made
