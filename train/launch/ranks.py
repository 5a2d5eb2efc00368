"""The rank of this process in a training, and what the processes tell each other; without others, nothing is sent.

Importing this module imports no torch.
"""

import io
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import polars as pl


def processes() -> int:
    """Return the number of processes of this training; 1 where none is going on."""
    distributed = _group()
    return distributed.get_world_size() if distributed else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    distributed = _group()
    return distributed.get_rank() if distributed else 0


def is_first() -> bool:
    """Return whether this process is the one that writes files, and that the user hears of."""
    return rank() == 0


@contextmanager
def first_before_others() -> Generator[bool]:
    """Yield whether this process is the first one; the others go on once its body has ended. All must call it."""
    first = is_first()
    if not first:
        _group().barrier()
    yield first
    if first and processes() > 1:
        _group().barrier()


def agreed(value: Any) -> Any:
    """Return the first process's value in every process. All of them must call it."""
    if processes() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]


def gathered(rows: pl.DataFrame) -> pl.DataFrame:
    """Move the rows that each process recorded to the first one. All of them must call it.

    Args:
        rows: What this process recorded since the last call (the first process: all that it has), with the columns
            ``step`` and ``phase``.

    Returns:
        In the first process the rows of all, by step, and within a step those of training first, in the processes'
        order; in the others no rows.
    """
    if processes() == 1:
        return rows
    from accelerate.utils import gather_object

    buffer = io.BytesIO()
    (rows.clear() if is_first() else rows).write_ipc(buffer)
    parts = gather_object([buffer.getvalue()])
    if not is_first():
        return rows.clear()
    others = [pl.read_ipc(io.BytesIO(part)) for part in parts[1:]]
    return pl.concat([rows, *others]).sort("step", pl.col("phase") != "train", maintain_order=True)


def without_fillers(rows: pl.DataFrame, times: dict[str, int], per_pass: pl.Expr) -> pl.DataFrame:
    """Return recorded rows without those that only filled the last batch of a pass over the data.

    accelerate fills it with rows from the pass's beginning (``even_batches``), so that every process has as many.

    Args:
        rows: The rows, in the order of their steps.
        times: How often a row is in one pass, by its id.
        per_pass: The pass that a row belongs to.
    """
    nth = pl.int_range(pl.len()).over("row_id", "phase", per_pass)
    allowed = pl.col("row_id").replace_strict(times, default=1, return_dtype=pl.Int64)
    return rows.filter(nth < allowed)


def _group() -> Any:
    """Return ``torch.distributed`` if the processes of a training are connected by it, else None."""
    distributed = sys.modules.get("torch.distributed")
    started = distributed is not None and distributed.is_available() and distributed.is_initialized()
    return distributed if started else None
