"""Columns too large for memory: written to a file part by part, and read through the system's memory map.

The file has no name, so nothing is left of it however the process ends. The system can drop pages that were read from
memory at any time, so a step that goes through such a column in blocks needs the memory of a block.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.files import disk_failed
from curate.storage.store import Store

BLOCK = 1 << 24  # bytes written at a time


def mapped_texts(parts: Iterable[pl.Series], store: Store) -> pl.Series:
    """Return texts as one column that stays on the store's disk.

    Args:
        parts: The texts, in order.
        store: The store.

    Raises:
        Failed: The disk is full.
    """
    import pyarrow as pa  # takes a tenth of a second to load: only where it is used

    schema = pa.schema([("text", pa.large_string())])
    with tempfile.TemporaryFile(dir=store.path) as file:
        try:
            with pa.ipc.new_file(file, schema) as writer:
                for part in parts:
                    texts = part.cast(pl.String).to_arrow(compat_level=pl.CompatLevel.oldest())
                    writer.write_batch(pa.record_batch([texts], schema=schema))
            file.flush()
        except OSError as error:
            raise disk_failed(store.path, error) from None
        held = pa.py_buffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    column = pa.ipc.open_file(pa.BufferReader(held)).read_all()["text"]
    return pl.Series("text", column)


def mapped_rows(rows: int, width: int, kind: type, folder: Path) -> np.ndarray:
    """Return an array of zeros that stays on disk.

    Args:
        rows: Its number of rows.
        width: Its number of columns.
        kind: The type of its numbers.
        folder: A folder on the disk to use.

    Raises:
        Failed: The disk is full.
    """
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
    """Allocate a file's blocks on disk now: to write past a full disk through a map would kill the process."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    for done in range(0, size, BLOCK):  # macOS has no such call
        os.pwrite(file, bytes(min(BLOCK, size - done)), done)


def as_series(values: np.ndarray, name: str) -> pl.Series:
    """Return an array (``n`` x ``d``) as a Series of ``Array(..., d)`` with ``n`` rows, without copying it."""
    import pyarrow as pa

    rows, width = values.shape
    flat = pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), values.size, [None, pa.py_buffer(values)])
    kind = pl.Array(pl.Series(np.zeros(0, values.dtype)).dtype, width)
    if not rows or not width:
        return pl.Series(name, [], dtype=kind)
    return pl.Series(name, pa.FixedSizeListArray.from_arrays(flat, width))
