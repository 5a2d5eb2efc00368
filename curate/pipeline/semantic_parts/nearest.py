"""Phase 3: the nearest kept row of each row that is dropped, in a band and a range of its buckets."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.pipeline.semantic_parts.members import Compared, Members
from curate.storage.array_files import write_array


@dataclass(frozen=True)
class NearestTask:
    """A range of buckets in which all places are decided.

    Attributes:
        members: The range.
        files: What is compared.
        path: The beginning of the names of the files to write.
        durable: Whether they are to be there after a power cut.
    """

    members: Members
    files: Compared
    path: str
    durable: bool


@dataclass(frozen=True)
class Nearest:
    """The files of what was found: dropped and kept places (uint32, two lines), and their cosines (float64)."""

    places: str
    cosines: str


def find_nearest(task: NearestTask) -> Nearest:
    """Write the nearest kept places in a range of buckets."""
    from curate.algorithms.vectors.bucket_pair_loops import nearest_members

    members = task.members.read(task.files.size)
    vectors, bits, states = task.files.arrays(members, task.members.band)
    found = nearest_members(members, vectors, task.files.threshold, bits, task.members.band, states)
    files = Nearest(f"{task.path}-places.npy", f"{task.path}-cosines.npy")
    write_array(Path(files.places), np.stack(found[:2]), durable=task.durable)
    write_array(Path(files.cosines), found[2], durable=task.durable)
    return files
