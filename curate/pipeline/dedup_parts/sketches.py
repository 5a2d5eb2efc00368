"""Phase 1: a part of the rows is sketched, and its keys and hashes are written in the order that later phases read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.algorithms.text.shingles import CONTENT
from curate.dedup.minhash import sketch
from curate.pipeline.dedup_parts.texts import Part
from curate.storage.array_files import read_array, write_array

HALF = np.uint64(32)
Settings = dict[str, bool | int | float | str]


@dataclass(frozen=True)
class SketchTask:
    """A part to sketch.

    Attributes:
        part: The part.
        settings: The settings of ``minhash.sketch``.
        ranges: The ranges of keys in each band.
        content_ranges: The ranges of hashes of texts.
        folder: The folder for its files.
        durable: Whether they are to be there after a power cut.
    """

    part: Part
    settings: Settings
    ranges: int
    content_ranges: int
    folder: str
    durable: bool


@dataclass(frozen=True)
class Slice:
    """Some rows of the array in a file."""

    path: str
    low: int
    high: int


@dataclass(frozen=True)
class Sketched:
    """A part that is sketched: its files, and where ranges end in them (int64).

    Attributes:
        keys: The file of keys (uint64, ``key << 32 | row``), the bands one after another, each sorted.
        key_ends: Where the first range of each band begins, and each one ends: a line a band.
        content: The file of hashes (uint64, a line a row: two hashes and the row), sorted.
        content_ends: Where the first range begins, and each one ends.
        bands: How many bands there are.
    """

    keys: str
    key_ends: bytes
    content: str
    content_ends: bytes
    bands: int

    def of_band(self, band: int, number: int) -> Slice:
        """Return the keys of a band in a range."""
        ends = np.frombuffer(self.key_ends, np.int64).reshape(self.bands, -1)[band]
        return Slice(self.keys, int(ends[number]), int(ends[number + 1]))

    def of_content(self, number: int) -> Slice:
        """Return the hashes in a range."""
        ends = np.frombuffer(self.content_ends, np.int64)
        return Slice(self.content, int(ends[number]), int(ends[number + 1]))


def make_sketches(task: SketchTask) -> Sketched:
    """Sketch a part of the rows; those without words are left out."""
    made = np.concatenate([sketch(text.fill_null(""), **task.settings).to_numpy() for text in task.part.texts()])  # ty: ignore[invalid-argument-type]
    worded = np.flatnonzero(made[:, -CONTENT:].any(axis=1))
    made, rows = made[worded], (worded + task.part.first).astype(np.uint64)
    bands = made.shape[1] - CONTENT
    keys, ends = np.empty(bands * len(rows), np.uint64), np.empty((bands, task.ranges + 1), np.int64)
    for band in range(bands):
        of_band = keys[band * len(rows) : (band + 1) * len(rows)]
        of_band[:] = made[:, band].astype(np.uint64) << HALF | rows
        of_band.sort()
        ends[band] = _ends(of_band, task.ranges) + band * len(rows)
    one, two = (made[:, bands + at].astype(np.uint64) << HALF | made[:, bands + at + 1] for at in (0, 2))
    by = np.argsort(one, kind="stable")
    folder, name = Path(task.folder), f"{task.part.place:06d}"
    keys_file, content_file = folder / f"{name}-keys.npy", folder / f"{name}-content.npy"
    write_array(keys_file, keys, durable=task.durable)
    write_array(content_file, np.stack([one[by], two[by], rows[by]], axis=1), durable=task.durable)
    content_ends = _ends(one[by], task.content_ranges)
    return Sketched(str(keys_file), ends.tobytes(), str(content_file), content_ends.tobytes(), bands)


def _ends(ordered: np.ndarray, ranges: int) -> np.ndarray:
    """Return where ranges of the upper 32 bits begin and end in sorted numbers."""
    bounds = np.array([(number << 32) // ranges << 32 for number in range(ranges)], np.uint64)
    return np.append(np.searchsorted(ordered, bounds), len(ordered)).astype(np.int64)


def read_slices(slices: list[Slice]) -> np.ndarray:
    """Return the rows of slices, one after another."""
    return np.concatenate([read_array(one.path)[one.low : one.high] for one in slices])
