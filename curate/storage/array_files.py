"""Arrays, texts and tables in files of their own, for work that goes through files: written whole, read by pieces.

A file of an array is NumPy's (``.npy``). Texts are two files: their bytes one after another, and where each ends.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import polars as pl

from curate.storage.files import disk_failed, sync, whole_file


def write_array(path: Path, array: np.ndarray, *, durable: bool = False) -> None:
    """Write an array into a file, whole or not at all.

    Args:
        path: The file.
        array: The array.
        durable: Whether the file is to be there after a power cut.

    Raises:
        Failed: The disk is full.
    """
    with _whole(path, durable) as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def write_rows(path: Path, rows: int, blocks: Iterable[np.ndarray], *, durable: bool = False) -> None:
    """Write an array block by block into a file, whole or not at all.

    Args:
        path: The file.
        rows: How many rows all blocks have.
        blocks: The blocks, at least one; each has some rows, and they have one width and type.
        durable: Whether the file is to be there after a power cut.

    Raises:
        Failed: The disk is full.
    """
    blocks = iter(blocks)
    first = next(blocks)
    header = {
        "descr": np.lib.format.dtype_to_descr(first.dtype),
        "fortran_order": False,
        "shape": (rows, *first.shape[1:]),
    }
    with _whole(path, durable) as file:
        np.lib.format.write_array_header_1_0(file, header)
        for block in chain([first], blocks):
            file.write(np.ascontiguousarray(block).data)


def write_table(path: Path, table: pl.DataFrame, *, durable: bool = False) -> None:
    """Write a table into a Parquet file (``damage.read_table``), whole or not at all.

    Raises:
        Failed: The disk is full.
    """
    with _whole(path, durable) as file:
        table.write_parquet(file, compression="zstd", compression_level=1)


def read_array(path: Path | str) -> np.ndarray:
    """Return the array in a file, mapped: only what is looked at is read."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # nothing to map
        return np.load(path, allow_pickle=False)


def write_texts(path: Path, parts: Iterable[pl.Series], *, durable: bool = False) -> int:
    """Write texts without nulls into the files ``path.bytes`` and ``path.npy``; return how many there are.

    Raises:
        Failed: The disk is full.
    """
    sizes = [np.zeros(1, np.int64)]
    with _whole(_bytes_of(path), durable) as file:
        for part in parts:
            sizes.append(part.str.len_bytes().to_numpy().astype(np.int64))
            file.write(part.cast(pl.Binary).cast(pl.List(pl.UInt8)).list.explode(empty_as_null=False).to_numpy().data)
    ends = np.cumsum(np.concatenate(sizes))
    write_array(path.with_name(f"{path.name}.npy"), ends, durable=durable)
    return len(ends) - 1


def read_texts(path: Path, rows: np.ndarray) -> Iterator[bytes]:
    """Yield some of the texts that ``write_texts`` wrote, as UTF-8, by their numbers."""
    if not len(rows):
        return
    ends = read_array(path.with_name(f"{path.name}.npy"))
    data = np.memmap(_bytes_of(path), np.uint8, "r").data if ends[-1] else memoryview(b"")
    for low, high in zip(ends[rows].tolist(), ends[rows + 1].tolist(), strict=True):
        yield data[low:high].tobytes()


def text_sizes(path: Path, rows: np.ndarray) -> np.ndarray:
    """Return how many bytes some of the texts have that ``write_texts`` wrote."""
    ends = read_array(path.with_name(f"{path.name}.npy"))
    return ends[rows + 1] - ends[rows]


def _bytes_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.bytes")


@contextmanager
def _whole(path: Path, durable: bool) -> Generator[BinaryIO]:
    """Open a file to write, under another name until the body has ended."""
    try:
        with whole_file(path) as temporary:
            with open(temporary, "wb") as file:
                yield file
            if durable:
                sync(temporary)
    except OSError as error:
        raise disk_failed(path.parent, error) from None
