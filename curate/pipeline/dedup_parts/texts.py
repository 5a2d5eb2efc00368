"""The texts of a part of the rows, read where the rows are; and those that are compared, in files of their own."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.algorithms.text import same_text
from curate.pipeline.compared_texts import compared_texts
from curate.storage.array_files import read_texts, text_sizes, write_texts
from curate.storage.row_spans import SpanFile, read_span


@dataclass(frozen=True)
class Part:
    """A part of the rows, and where their texts are.

    Attributes:
        place: Its number.
        first: The number of its first row among all rows.
        files: Its rows.
        column: The column that is compared, as the files name it.
        turns: The column of the messages whose last text that column has, or "".
        messages: Whether the column is of messages.
    """

    place: int
    first: int
    files: list[SpanFile]
    column: str
    turns: str = ""
    messages: bool = False

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(one.rows for one in self.files)

    def texts(self) -> Iterator[pl.Series]:
        """Yield the texts of its rows, a file at a time."""
        for frame in read_span(self.files, [self.column, *filter(None, [self.turns])]):
            text = compared_texts(frame[self.column], frame[self.turns] if self.turns else None).cast(pl.String)
            yield same_text.as_text(text) if self.messages else text


@dataclass(frozen=True)
class TextsTask:
    """Some texts of a part to write: a bit for each of its rows (the lowest of a byte first), and where to."""

    part: Part
    wanted: bytes
    path: str
    durable: bool


def write_wanted_texts(task: TextsTask) -> int:
    """Write the wanted texts of a part; return how many there are."""
    return write_texts(Path(task.path), _wanted(task), durable=task.durable)


def _wanted(task: TextsTask) -> Iterator[pl.Series]:
    flags = np.unpackbits(np.frombuffer(task.wanted, np.uint8), count=task.part.rows, bitorder="little").astype(bool)
    start = 0
    for text in task.part.texts():
        yield text.filter(pl.Series(flags[start : start + len(text)])).fill_null("")
        start += len(text)


@dataclass(frozen=True)
class TextFiles:
    """The texts that ``write_wanted_texts`` wrote, by number: the files, and the number of the first text of each."""

    paths: list[str]
    starts: list[int]

    def gather(self, rows: np.ndarray) -> pl.Series:
        """Return some of the texts."""
        rows, place = np.unique(rows, return_inverse=True)
        held = [text for path, at in self._by_file(rows) for text in read_texts(path, at)]
        return pl.Series("text", held, dtype=pl.Binary).cast(pl.String).gather(place)

    def sizes(self, rows: np.ndarray) -> np.ndarray:
        """Return how many bytes some of the texts have."""
        rows, place = np.unique(rows, return_inverse=True)
        return np.concatenate([np.zeros(0, np.int64), *(text_sizes(path, at) for path, at in self._by_file(rows))])[
            place
        ]

    def _by_file(self, rows: np.ndarray) -> Iterator[tuple[Path, np.ndarray]]:
        """Yield each file that has some of the sorted rows, and their numbers in it."""
        ends = np.searchsorted(rows, [*self.starts, np.iinfo(np.int64).max])
        for path, start, low, high in zip(self.paths, self.starts, ends, ends[1:], strict=False):
            if high > low:
                yield Path(path), rows[low:high] - start
