"""Into how many tasks the rows of ``dedup: semantic`` are cut: by their number, so that a later run cuts alike."""

from dataclasses import dataclass

from curate.storage.stage import PART

MOST_ROWS = 1_000_000  # of a part: some 600 MB of sign bits and buckets
FEWEST_PARTS = 32  # as long as each has a file's worth of rows
RANGE = 1 << 26  # rows of a band in one range of buckets: 512 MB
FIRST = 8  # members of a bucket that are compared in the first round


@dataclass(frozen=True)
class TaskSizes:
    """The sizes of tasks; none changes what is decided.

    Attributes:
        part: The rows of a part.
        ranges: The ranges of buckets in each band.
        first: The members of each bucket that the first round compares; each later round compares four times as many.
    """

    part: int
    ranges: int = 1
    first: int = FIRST


def task_sizes(rows: int) -> TaskSizes:
    """Return the sizes for so many rows."""
    part = min(MOST_ROWS, -(-rows // (FEWEST_PARTS * PART)) * PART)
    ranges = 1
    while ranges * RANGE < rows:
        ranges *= 2
    return TaskSizes(max(PART, part), ranges)
