"""Columns too large for memory: written to a file part by part, and read through the system's memory map.

The file has no name, so nothing is left of it however the process ends. The system can drop pages that were read from
memory at any time, so a step that goes through such a column in blocks needs the memory of a block.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from curate.storage.files import disk_failed
from curate.storage.store import Store

BLOCK = 1 << 24  # bytes written at a time
LARGEST = (1 << 31) - 1  # bytes of texts whose views, of 16 bytes each, can say where they are


class _Part(NamedTuple):
    """Where each text of a part ends in its bytes, from 0 on, and the bits of those that are not null, or None."""

    ends: np.ndarray
    known: np.ndarray | None


def mapped_texts(parts: Iterable[pl.Series], store: Store) -> pl.Series:
    """Return texts as one column that stays on the store's disk.

    Polars has a view of each text: 16 bytes. Where pyarrow is installed, those of several parts are on disk too.

    Args:
        parts: The texts, in order.
        store: The store.

    Raises:
        Failed: The disk is full.
    """
    parts = (part.cast(pl.String) for part in parts)
    with tempfile.TemporaryFile(dir=store.path) as file:
        try:
            first = list(islice(parts, 2))
            in_views = len(first) > 1 and find_spec("pyarrow") is not None
            texts = (_views if in_views else _texts)(chain(first, parts), file)
        except OSError as error:
            raise disk_failed(store.path, error) from None
    return pl.concat([pl.Series("text", [], dtype=pl.String), *texts], rechunk=False)


def _mapped(file: BinaryIO) -> mmap.mmap | bytes:
    """Return the bytes of a file that has just been written; they are read when they are looked at."""
    file.flush()
    return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else b""


def _views(parts: Iterable[pl.Series], file: BinaryIO) -> list[pl.Series]:
    """Write texts and their views to a file, as Arrow's stream; return them as they lie there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    schema = pa.schema([("text", pa.string_view())])
    with pa.ipc.new_stream(file, schema) as stream:
        for part in parts:
            for piece in _pieces(part):
                texts = piece.to_arrow(compat_level=pl.CompatLevel.oldest())  # their bytes alone, one after another
                stream.write_batch(pa.record_batch([pc.cast(texts, pa.string_view())], schema=schema))
    column = pa.ipc.open_stream(pa.py_buffer(_mapped(file))).read_all().column(0)
    return [pl.Series("text", chunk) for chunk in column.chunks]


def _pieces(texts: pl.Series) -> Iterator[pl.Series]:
    """Yield texts in pieces of at most ``LARGEST`` bytes."""
    if len(texts) > 1 and texts.str.len_bytes().sum() > LARGEST:
        yield from _pieces(texts[: len(texts) // 2])
        yield from _pieces(texts[len(texts) // 2 :])
    else:
        yield texts


def _texts(parts: Iterable[pl.Series], file: BinaryIO) -> list[pl.Series]:
    """Write texts to a file; return them as they lie there. Their views are in memory."""
    import nanoarrow as na

    held, texts, begin = [_written(part, file) for part in parts], [], 0
    data = np.frombuffer(_mapped(file), np.uint8)
    for part in held:
        end = begin + part.ends[-1]
        array = na.c_array_from_buffers(na.large_string(), len(part.ends) - 1, [part.known, part.ends, data[begin:end]])
        texts.append(pl.Series(array).alias("text"))
        begin = end
    return texts


def _written(texts: pl.Series, file: BinaryIO) -> _Part:
    """Write the bytes of texts at the end of a file."""
    known = texts.fill_null("")
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(known.str.len_bytes().to_numpy(), out=ends[1:])
    file.write(known.cast(pl.Binary).cast(pl.List(pl.UInt8)).list.explode(empty_as_null=False).to_numpy().data)
    bits = np.packbits(texts.is_not_null().to_numpy(), bitorder="little") if texts.null_count() else None
    return _Part(ends, bits)


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


def nulls(rows: int) -> pl.Series:
    """Return a Series of Float64 that is null throughout, and takes a bit a row: its numbers are never written."""
    import nanoarrow as na

    buffers = [np.zeros(rows // 8 + 1, np.uint8), np.zeros(rows)]
    return pl.Series(na.c_array_from_buffers(na.float64(), rows, buffers)).alias("score")


def as_series(values: np.ndarray, name: str) -> pl.Series:
    """Return an array (``n`` x ``d``) as a Series of ``Array(..., d)`` with ``n`` rows, without copying it."""
    import nanoarrow as na

    rows, width = values.shape
    number = pl.Series(np.zeros(0, values.dtype)).dtype
    if not rows or not width:
        return pl.Series(name, [], dtype=pl.Array(number, width))
    kind = getattr(na, values.dtype.name)()  # Arrow's types are called as NumPy's are
    flat = na.c_array_from_buffers(kind, values.size, [None, values.reshape(-1)])
    array = na.c_array_from_buffers(na.fixed_size_list(kind, width), rows, [None], children=[flat])
    return pl.Series(array).alias(name)
