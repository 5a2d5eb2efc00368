"""Into how many parts the rows of a dedup step are cut: by their number alone, so that a later run cuts them alike."""

from dataclasses import dataclass

from curate.algorithms.near_duplicates.near_pairs import CROWDED, PAIRS
from curate.storage.stage import PART

MOST_ROWS = 1_000_000  # of a part: 88 MB of sketches
FEWEST_PARTS = 32  # as long as each has a file's worth of rows
RANGE = 1 << 26  # rows of a band in one range of keys: 512 MB
COMPARED = 100 << 20  # bytes of texts in a task that compares pairs: some 100,000 pairs of texts of 1 KB
CONTENT_RANGES = 4  # ranges of hashes of texts for one of keys: a hash takes three times a key's bytes, and is sorted


@dataclass(frozen=True)
class Sizes:
    """The sizes of a dedup step's tasks; none changes what is decided.

    Attributes:
        part: The rows of a part, a multiple of ``PART``.
        ranges: The ranges of keys in each band.
        content_ranges: The ranges of hashes of texts.
        compared: The bytes of texts that a task compares.
        crowded: The rows from which on a bucket is large (``near_pairs``).
        most: The pairs of large buckets that are compared without lowering their number (``near_pairs``).
    """

    part: int
    ranges: int
    content_ranges: int
    compared: int = COMPARED
    crowded: int = CROWDED
    most: int = PAIRS


def sizes_for(rows: int) -> Sizes:
    """Return the sizes for so many rows."""
    part = min(MOST_ROWS, -(-rows // (FEWEST_PARTS * PART)) * PART)
    ranges = 1
    while ranges * RANGE < rows:
        ranges *= 2
    return Sizes(max(PART, part), ranges, CONTENT_RANGES * ranges)
