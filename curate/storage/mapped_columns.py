"""Columns too large for memory: written to a file part by part, and read through the system's memory map.

The file has no name, so nothing is left of it however the process ends. The system can drop pages that were read from
memory at any time, so a step that goes through such a column in blocks needs the memory of a block.
"""

import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import polars as pl

from curate.storage.files import disk_failed
from curate.storage.store import Store

BLOCK = 1 << 24  # bytes written at a time
VIEW, INSIDE, BEGINNING = 16, 12, 4  # bytes of a view, of the largest text inside one, of a longer text's beginning
LARGEST = (1 << 31) - 1  # bytes of a part in whose views a place has room


class _Part(NamedTuple):
    """Where each text of a part ends in its bytes, from 0 on, and the bits of those that are not null, or None."""

    ends: np.ndarray
    known: np.ndarray | None


def mapped_texts(parts: Iterable[pl.Series], store: Store) -> pl.Series:
    """Return texts as one column that stays on the store's disk.

    A Polars column has a view of each text (16 bytes: its size, its beginning, its place). Where pyarrow is installed,
    the views of several parts are on disk too; else they are in memory.

    Args:
        parts: The texts, in order.
        store: The store.

    Raises:
        Failed: The disk is full.
    """
    held: list[_Part] = []
    with tempfile.TemporaryFile(dir=store.path) as file, tempfile.TemporaryFile(dir=store.path) as views:
        try:
            for part in parts:
                held.append(_write_part(part.cast(pl.String), file, views))
            file.flush()
            views.flush()
        except OSError as error:
            raise disk_failed(store.path, error) from None
        data, placed = _mapped(file), _mapped(views)
    in_views = len(held) > 1 and find_spec("pyarrow") is not None
    texts = _as_views(held, data, placed) if in_views else _as_texts(held, data)
    return pl.concat([pl.Series("text", [], dtype=pl.String), *texts])


def _mapped(file: BinaryIO) -> np.ndarray:
    """Return the bytes of a file that has just been written; they are read when they are looked at."""
    return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.tell() else b"", np.uint8)


def _write_part(texts: pl.Series, file: BinaryIO, views: BinaryIO) -> _Part:
    """Write the bytes of texts, and their views, at the ends of two files."""
    known = texts.fill_null("")
    ends = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(known.str.len_bytes().to_numpy(), out=ends[1:])
    data = known.cast(pl.Binary).cast(pl.List(pl.UInt8)).list.explode(empty_as_null=False).to_numpy()
    file.write(data.data)
    views.write(_views(data, ends).data)
    bits = np.packbits(texts.is_not_null().to_numpy(), bitorder="little") if texts.null_count() else None
    return _Part(ends, bits)


def _views(data: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return Arrow's views of texts (rows x 16 bytes) in a buffer of at most ``LARGEST`` bytes.

    That is the text's size and, of up to 12 bytes, the text; else its first four bytes, a 0 and where it begins.
    """
    begin, size = ends[:-1], np.diff(ends)
    made = np.zeros((len(size), VIEW), np.uint8)
    whole = made.view("<i4")
    whole[:, 0] = size
    inside = size <= INSIDE
    for place in range(INSIDE):
        rows = np.flatnonzero((size > place) & (inside if place >= BEGINNING else True))
        made[rows, 4 + place] = data[begin[rows] + place]
    whole[~inside, 3] = begin[~inside]
    return made


def _as_views(parts: list[_Part], data: np.ndarray, views: np.ndarray) -> Iterator[pl.Series]:
    """Yield the texts of each part; their bytes and their views stay where they are."""
    import pyarrow as pa  # nanoarrow makes no array of views

    begin, row = 0, 0
    for part in parts:
        rows, end = len(part.ends) - 1, begin + int(part.ends[-1])
        if end - begin > LARGEST:
            yield from _as_texts([part], data[begin:end])
        else:
            held = (part.known, views[VIEW * row : VIEW * (row + rows)], data[begin:end])
            buffers = [None if one is None else pa.py_buffer(one) for one in held]
            yield pl.Series("text", pa.Array.from_buffers(pa.string_view(), rows, buffers))
        begin, row = end, row + rows


def _as_texts(parts: list[_Part], data: np.ndarray) -> Iterator[pl.Series]:
    """Yield the texts of each part; their bytes stay where they are, and their views are in memory."""
    import nanoarrow as na

    begin = 0
    for part in parts:
        texts = data[begin : begin + part.ends[-1]]
        begin += part.ends[-1]
        array = na.c_array_from_buffers(na.large_string(), len(part.ends) - 1, [part.known, part.ends, texts])
        yield pl.Series(array).alias("text")


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
