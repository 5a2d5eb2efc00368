"""Check the arrays in files before compiled loops read them: the loops do not look where an array ends."""

from pathlib import Path

import numpy as np

from curate.storage.array_files import read_array
from curate.storage.damage import Damaged

MOST_SIZE = 32  # bits in a band: a bucket is a uint32


def damaged(name: str, problem: str) -> Damaged:
    """Return the error for a file of a phase, which a run makes anew where its folder is gone."""
    path = Path(name)
    return Damaged(path, problem, f"remove the folder {path.parent.parent} and run again")


def held(name: str, kind: type[np.generic], *shape: int | None) -> np.ndarray:
    """Return the array in a file, for compiled loops, which do not look where it ends.

    Args:
        name: The file.
        kind: The type of its numbers.
        shape: The length along each axis; None for any.

    Raises:
        Damaged: It has other numbers, or another shape.
    """
    array = np.asarray(read_array(name))
    alike = array.ndim == len(shape) and all(want in (None, has) for want, has in zip(shape, array.shape, strict=True))
    if array.dtype != kind or not alike or not array.flags.c_contiguous:
        wanted = f"{kind.__name__} of the shape {shape}".replace("None", "any")
        raise damaged(name, f"holds {array.dtype} of the shape {array.shape}; expected {wanted}")
    return array


def check_places(name: str, places: np.ndarray, count: int) -> None:
    """Raise ``Damaged`` where a file names places from ``count`` on, of which there are none."""
    if places.size and int(places.max()) >= count:
        raise damaged(name, f"names the place {int(places.max()):,}, of {count:,}")


def check_bands(name: str, bands: int, size: int, words: int) -> None:
    """Raise ``Damaged`` where bands of so many bits do not lie within the sign bits in a file."""
    if not (1 <= size <= MOST_SIZE and 0 <= bands * size <= 64 * words):
        raise Damaged(
            Path(name), f"holds {64 * words} sign bits; expected {bands} times {size}, of at most {MOST_SIZE}"
        )
