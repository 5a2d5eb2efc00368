"""Phase 2: the near pairs among the rows of a band and a range of its buckets that may be kept."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curate.pipeline.semantic_parts.checks import held
from curate.pipeline.semantic_parts.members import Compared, Members
from curate.storage.array_files import write_array


@dataclass(frozen=True)
class CompareTask:
    """A round in a range of buckets.

    Attributes:
        members: The range.
        rest: The file of the members that the round before left; none in the first round.
        files: What is compared.
        compared: How many members of each bucket the rounds before have compared.
        limit: How many are compared after this round.
        path: The beginning of the names of the files to write.
        durable: Whether they are to be there after a power cut.
    """

    members: Members
    rest: str
    files: Compared
    compared: int
    limit: int
    path: str
    durable: bool


@dataclass(frozen=True)
class Found:
    """The files that a round wrote: near pairs, members to look at again, and places that wait for that.

    Attributes:
        near: The file of the pairs (uint64, ``right << 32 | left``), sorted.
        rest: The file of the members; "" where there are none.
        waiting: The file of the places (uint32).
    """

    near: str
    rest: str
    waiting: str


def compare_rows(task: CompareTask) -> Found:
    """Write what a round finds in a range of buckets."""
    from curate.algorithms.vectors.bucket_pair_loops import compare_members

    members = np.array(held(task.rest, np.uint64, None)) if task.rest else task.members.read(task.files.size)
    vectors, bits, states = task.files.arrays(members, task.members.band)
    near, rest, waiting = compare_members(
        members, vectors, task.files.threshold, bits, task.members.band, states, task.compared, task.limit
    )
    found = Found(f"{task.path}-near.npy", f"{task.path}-rest.npy" if len(rest) else "", f"{task.path}-waiting.npy")
    write_array(Path(found.near), np.sort(near), durable=task.durable)
    write_array(Path(found.waiting), waiting, durable=task.durable)
    if found.rest:
        write_array(Path(found.rest), rest, durable=task.durable)
    return found
