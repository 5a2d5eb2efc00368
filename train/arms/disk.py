"""The disk that a comparison's models take, said before anything is trained; too little of it is refused."""

import json
import shutil
import struct
from math import prod
from pathlib import Path

from curate.models.model_ref import ModelRef
from curate.models.weights import local_folder
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.errors import UserError
from schemas.recipe import Training
from train.options.options import lora_options
from train.reports.words import in_bytes

FLOAT = 4  # bytes of a weight: full weights are trained, and saved, in float32
HEADER = 100_000_000  # bytes: the longest header of safetensors


def expected_size(training: Training, start: ModelRef, done: list[Stage]) -> int | None:
    """Return the bytes that a training leaves; None where they are not known: an adapter's before one is trained.

    Args:
        training: The training.
        start: The model that its chain starts from.
        done: The stages of the same training on other seeds.
    """
    if done:
        return max(stage.size for stage in done)
    if lora_options(training) is not None and not training.merge:
        return None
    count = _parameters(start)
    return None if count is None else FLOAT * count


def disk_line(sizes: list[int | None], store: Store) -> str:
    """Return a line on the disk that trainings will take.

    Args:
        sizes: The bytes of each training that is to be done, as far as they are known.
        store: The store that gets them.

    Raises:
        UserError: There is too little.
    """
    known, adapters = sum(one for one in sizes if one is not None), sum(one is None for one in sizes)
    free = shutil.disk_usage(store.path).free
    if known > free:
        raise UserError(
            f"the models of this comparison take about {in_bytes(known)} of disk, and {in_bytes(free)} are free in "
            f"{store.path}; free some, train adapters (lora: true), or compare fewer seeds"
        )
    if not known:
        return f"disk: {adapters} adapters, which are small; {in_bytes(free)} are free"
    more = f", and {adapters} adapters, which are small" if adapters else ""
    return f"disk: about {in_bytes(known)} for the models{more}; {in_bytes(free)} are free"


def _parameters(ref: ModelRef) -> int | None:
    """Return the number of weights of a model on this machine; None where its files don't tell."""
    folder = local_folder(ref)
    counts = [_in_file(file) for file in folder.glob("*.safetensors")] if folder is not None else []
    known = [one for one in counts if one is not None]
    return sum(known) if known and len(known) == len(counts) else None


def _in_file(file: Path) -> int | None:
    """Return the number of weights in a file of safetensors, from its header."""
    try:
        with file.open("rb") as opened:
            (length,) = struct.unpack("<Q", opened.read(8))
            held = json.loads(opened.read(length)) if length <= HEADER else {}
        return sum(prod(one["shape"]) for name, one in held.items() if name != "__metadata__") or None
    except (OSError, ValueError, struct.error, TypeError, KeyError):
        return None
