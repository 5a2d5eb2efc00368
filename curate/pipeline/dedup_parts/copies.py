"""Phase 2: which rows are equal after levelling, of one range of the hashes of their texts."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.pipeline.dedup_parts.sketches import Slice, read_slices
from curate.storage.array_files import write_array


@dataclass(frozen=True)
class CopiesTask:
    """A range of hashes: the slices of all parts, and the file for the rows that are equal."""

    slices: list[Slice]
    path: str
    durable: bool


def find_copies(task: CopiesTask) -> int:
    """Write the rows that are equal to one before them (uint32, a line each: that first one, the row); return how many.

    Rows are equal if their hashes of 128 bits are, as on one machine.
    """
    held = read_slices(task.slices)
    one, two, row = held[:, 0], held[:, 1], held[:, 2]
    by = np.lexsort((row, two, one))
    one, two, row = one[by], two[by], row[by].astype(np.uint32)
    new = np.ones(len(row), bool)
    new[1:] = (one[1:] != one[:-1]) | (two[1:] != two[:-1])
    first = row[new][np.cumsum(new) - 1]
    write_array(Path(task.path), np.stack([first[~new], row[~new]], axis=1), durable=task.durable)
    return int(np.count_nonzero(~new))
