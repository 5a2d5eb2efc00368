"""Spans of a run's rows as plain values, so that any process can read their columns: files, and a bit for each row."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.row_set import RowSet


@dataclass(frozen=True)
class SpanFile:
    """The rows of a span that are in one Parquet file.

    Attributes:
        path: The file.
        wanted: A bit for each of the file's rows, the lowest of a byte first.
        rows: How many are wanted.
    """

    path: str
    wanted: bytes
    rows: int


def span_file(path: Path, wanted: np.ndarray) -> SpanFile:
    """Return the rows of a file for which a flag is true."""
    bits = np.packbits(wanted, bitorder="little").tobytes()
    return SpanFile(str(path.absolute()), bits, int(np.count_nonzero(wanted)))


def file_spans(rows: RowSet) -> Iterator[SpanFile]:
    """Yield the rows of a run, a file at a time; a file of which all are dropped is left out."""
    for number, path in enumerate(rows.files):
        kept = rows.kept(number)
        if kept.any():
            yield span_file(path, kept)


def row_spans(rows: RowSet, wanted: np.ndarray | None, size: int) -> list[list[SpanFile]]:
    """Cut the rows of a run into spans of ``size`` rows, the last of which may be smaller.

    Args:
        rows: The rows.
        wanted: Which of them are wanted, in their order (bool); all where it is None.
        size: The rows of a span.
    """
    spans: list[list[SpanFile]] = []
    room, done = 0, 0
    for number, path in enumerate(rows.files):
        kept = rows.kept(number)
        at = np.flatnonzero(kept)
        if wanted is not None:
            at, done = at[wanted[done : done + len(at)]], done + len(at)
        while len(at):
            if not room:
                spans.append([])
                room = size
            now, at = at[:room], at[room:]
            flags = np.zeros(len(kept), bool)
            flags[now] = True
            spans[-1].append(span_file(path, flags))
            room -= len(now)
    return spans


def read_span(span: list[SpanFile], columns: list[str]) -> Iterator[pl.DataFrame]:
    """Yield columns of a span's rows, a file at a time.

    Raises:
        Damaged: A file is gone or cut short.
    """
    for part in span:
        frame = read_table(Path(part.path), columns)
        flags = np.unpackbits(np.frombuffer(part.wanted, np.uint8), count=frame.height, bitorder="little")
        yield frame if part.rows == frame.height else frame.filter(pl.Series(flags.astype(bool)))
