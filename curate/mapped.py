"""Columns too large for memory: written to a file part by part and read through the system's memory map.

The file has no name any more by the time it is read, so that nothing is left of it however the process ends. What was
read of it can be dropped from memory at any time: a step that goes through such a column in blocks holds a block.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import Failed


def mapped_texts(parts: Iterable[pl.Series], folder: Path) -> pl.Series:
    """Return texts, given in parts, as one column that stays on disk. Raises ``Failed`` if the disk is full."""
    schema = pa.schema([("text", pa.large_string())])
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".texts-") as file:
        try:
            with pa.ipc.new_file(file, schema) as writer:
                for part in parts:
                    texts = part.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
                    writer.write_batch(pa.record_batch([texts], schema=schema))
            file.flush()
        except OSError as error:
            raise disk_failed(folder, error) from None
        with pa.memory_map(file.name) as source:
            column = pa.ipc.open_file(source).read_all()["text"]
    return pl.from_arrow(column).rename("text")


def mapped_rows(rows: int, width: int, kind: type, folder: Path) -> np.ndarray:
    """Return an array of zeros, ``rows`` x ``width``, that stays on disk. Raises ``Failed`` if the disk is full."""
    size = rows * width * np.dtype(kind).itemsize
    if not size:
        return np.zeros((rows, width), kind)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".rows-") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # writing past a full disk through a map would kill us
        except OSError as error:
            raise disk_failed(folder, error) from None
        return np.memmap(file.name, kind, "r+", shape=(rows, width))


def as_series(values: np.ndarray, name: str) -> pl.Series:
    """Return the rows of an array (``n`` x ``d``) as a Series of ``Array(..., d)``, without copying them."""
    rows, width = values.shape
    flat = pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [None, pa.py_buffer(values)])
    kind = pl.Array(pl.Series(np.zeros(0, values.dtype)).dtype, width)
    if not rows or not width:
        return pl.Series(name, [], dtype=kind)
    return pl.from_arrow(pa.FixedSizeListArray.from_arrays(flat, width)).rename(name)


def disk_failed(folder: Path, error: OSError) -> Failed:
    """What to say where a file could not be written."""
    return Failed(f"{folder}: cannot write: {error.strerror or error}; what was finished is kept")
