"""The rows of one band and one range of its buckets, and what they are compared by."""

from dataclasses import dataclass

import numpy as np

from curate.algorithms.vectors.places import SignBits
from curate.pipeline.semantic_parts.checks import check_bands, check_places, held
from curate.pipeline.semantic_parts.signs import Signed
from curate.storage.array_files import read_array

HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class Compared:
    """The files of all places, and how pairs are compared.

    Attributes:
        vectors: The file of the vectors (float32, a line a place).
        bits: The file of the sign bits (uint64, a line a place).
        states: The file that says what is known of each place (uint8).
        size: Bits in a band.
        cutoff: A pair is compared only if at most so many of its first bits differ.
        threshold: The cosine from which two rows are near.
    """

    vectors: str
    bits: str
    states: str
    size: int
    cutoff: int
    threshold: float

    def arrays(self, members: np.ndarray, band: int) -> tuple[np.ndarray, SignBits, np.ndarray]:
        """Return the vectors, the sign bits and the states, as the compiled loops take them.

        Args:
            members: The members of buckets that are to be compared (``Members.read``).
            band: Their band.

        Raises:
            Damaged: A file does not hold a line for each of them. (Compiled loops would read beyond its end.)
        """
        states = held(self.states, np.uint8, None)
        vectors, bits = held(self.vectors, np.float32, len(states), None), held(self.bits, np.uint64, len(states), None)
        check_places(self.states, members & LOW, len(states))
        check_bands(self.bits, band + 1, self.size, bits.shape[1])
        return vectors, SignBits(bits, self.size, self.cutoff), states


@dataclass(frozen=True)
class Members:
    """A range of the buckets of a band.

    Attributes:
        parts: The buckets of all places.
        band: The band.
        number: The range.
        ranges: The ranges in each band.
    """

    parts: list[Signed]
    band: int
    number: int
    ranges: int

    def read(self, size: int) -> np.ndarray:
        """Return the members, packed and sorted (``bucket_pair_loops``), for bands of so many bits."""
        some = []
        for part in self.parts:
            buckets = read_array(part.buckets)[self.band].astype(np.uint64)
            place = np.arange(part.low, part.low + len(buckets), dtype=np.uint64)
            packed = buckets << HALF | place
            some.append(packed[buckets * self.ranges >> size == self.number] if self.ranges > 1 else packed)
        members = np.concatenate(some)
        members.sort()
        return members
