"""Keeps the positions of a map of embeddings, which take long to compute for many points.

A file of ``positions/`` in the store: the coordinates as little-endian float32, two a point, in the order of the
points. Its name has a hash of all that the positions depend on, so a file that is there fits, if it has the right size.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from curate.storage.damage import is_plain
from curate.storage.files import slug
from curate.storage.store import Store

KIND = np.dtype("<f4")
KEPT = 4  # files; the one that was used longest ago is removed first


def kept_positions(
    store: Store, model: str, ids: Sequence[str], version: str, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return the positions of points, as they are kept, or made now.

    Args:
        store: The store. Where it cannot be written, nothing is kept.
        model: The model whose embeddings are laid out.
        ids: The points' ids, which stand for their texts.
        version: What the positions depend on beside the texts: how they are made.
        make: Returns them (rows x 2); it is called where none are kept that fit, or the file is damaged.

    Returns:
        The positions (float32, rows x 2).
    """
    key = hashlib.sha256("\n".join([model, version, *ids]).encode("utf-8", "surrogatepass")).hexdigest()[:20]
    folder = store.path / "positions"
    file = folder / f"{slug(model)[:40]}-{key}.f4"
    size = 2 * len(ids) * KIND.itemsize
    with suppress(OSError):
        if is_plain(file) and file.stat().st_size == size:
            found = np.fromfile(file, KIND, 2 * len(ids)).reshape(-1, 2)
            if np.isfinite(found).all():
                os.utime(file)
                return found.astype(np.float32)
    made = np.ascontiguousarray(make(), KIND)
    hidden = folder / f".{file.name}.{os.getpid()}"
    with suppress(OSError):  # a full disk, a store that may only be read: the next one makes them again
        folder.mkdir(exist_ok=True)
        hidden.write_bytes(made.tobytes())
        hidden.replace(file)
        for old in sorted(folder.glob("*.f4"), key=lambda one: one.stat().st_mtime, reverse=True)[KEPT:]:
            old.unlink()
    with suppress(OSError):
        hidden.unlink(missing_ok=True)
    return made.astype(np.float32)
