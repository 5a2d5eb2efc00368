"""Columns too large for memory: written to a file part by part and read through the system's memory map.

The file has no name, so that nothing is left of it however the process ends. What was read of it can be dropped from
memory at any time: a step that goes through such a column in blocks holds a block.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.errors import Failed

STEP = 1 << 24  # bytes


def mapped_texts(parts: Iterable[pl.Series], folder: Path) -> pl.Series:
    """Return texts, given in parts, as one column that stays on disk. Raises ``Failed`` if the disk is full."""
    schema = pa.schema([("text", pa.large_string())])
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            with pa.ipc.new_file(file, schema) as writer:
                for part in parts:
                    texts = part.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
                    writer.write_batch(pa.record_batch([texts], schema=schema))
            file.flush()
        except OSError as error:
            raise disk_failed(folder, error) from None
        held = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    column = pa.ipc.open_file(pa.BufferReader(held)).read_all()["text"]
    return pl.from_arrow(column).rename("text")


def mapped_rows(rows: int, width: int, kind: type, folder: Path) -> np.ndarray:
    """Return an array of zeros, ``rows`` x ``width``, that stays on disk. Raises ``Failed`` if the disk is full."""
    size = rows * width * np.dtype(kind).itemsize
    if not size:
        return np.zeros((rows, width), kind)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            _allocate(file.fileno(), size)
        except OSError as error:
            raise disk_failed(folder, error) from None
        return np.memmap(file, kind, "r+", shape=(rows, width))


def _allocate(file: int, size: int) -> None:
    """Take the disk's room for a file now: writing past a full disk through a map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    for done in range(0, size, STEP):  # macOS has no such call
        os.pwrite(file, bytes(min(STEP, size - done)), done)


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
