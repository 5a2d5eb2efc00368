"""The rows of a run: the columns of those that no step has dropped, read from the stages that wrote them.

Only the columns that are asked for are read, a file at a time.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import polars as pl

from curate.storage.damage import read_table
from curate.storage.prompt_columns import PromptColumns
from curate.storage.row_numbers import id_numbers, joined
from curate.storage.row_set import CANDIDATES, RowSet
from curate.storage.score_values import score_parts
from curate.storage.stage import Stage
from schemas.rows import PROMPTS

BATCH = 50_000


def read_batches(rows: RowSet, names: list[str], prompts: RowSet | None = None) -> Iterator[pl.DataFrame]:
    """Yield the rows in order, in tables of the id and the columns ``names``.

    Args:
        rows: The rows.
        names: The columns to read: the rows' own, their prompts', or scores.
        prompts: The prompts of these candidates, if ``names`` has columns of theirs.
    """
    own = PROMPTS if rows.table == "prompts" else CANDIDATES
    own_names = [n for n in dict.fromkeys([rows.id, *names]) if n in own]
    scores = [score_parts(rows, n) for n in dict.fromkeys(names) if n in rows.scores]
    context = None
    if prompts is not None:
        above = [n for n in dict.fromkeys(names) if n not in own_names and n not in rows.scores]
        context = PromptColumns(prompts, above) if above else None
        own_names = list(dict.fromkeys([*own_names, "prompt_id"]))
    held = [rows.file_column(name) for name in own_names]
    wanted = list(dict.fromkeys([rows.id, *names]))
    for _, frame in rows.read(list(dict.fromkeys(held))):
        frame = frame.select(pl.col(h).alias(name) for h, name in zip(held, own_names, strict=True))
        frame = frame.hstack([next(values)[1] for values in scores]) if scores else frame
        for part in frame.iter_slices(BATCH):
            yield (part.hstack(context.of(part["prompt_id"])) if context else part).select(wanted)


def read_all(rows: RowSet, names: list[str], prompts: RowSet | None = None) -> pl.DataFrame:
    """Return all batches of ``read_batches`` in one table."""
    parts = list(read_batches(rows, names, prompts))
    if parts:
        return pl.concat(parts)
    types = rows.columns(prompts)
    return pl.DataFrame(schema={n: types[n] for n in dict.fromkeys([rows.id, *names])})


def read_parts(stage: Stage, table: str, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Yield some columns of a stage's table, a file of it at a time."""
    for file in stage.files(table):
        yield read_table(file, columns)


def read_groups(
    rows: RowSet, names: list[str], prompts: RowSet | None = None, size: int = BATCH
) -> Iterator[pl.DataFrame]:
    """Yield rows as ``read_batches`` does, with all candidates of a prompt in one table of about ``size`` rows.

    If the candidates of each prompt follow one another, they are read as a stream; otherwise all of them are read into
    memory and sorted first.
    """
    if rows.table == "prompts":
        yield from read_batches(rows, names, prompts)
        return
    names = list(dict.fromkeys(["prompt_id", *names]))
    if _stand_together(joined(id_numbers(frame["prompt_id"]) for _, frame in rows.read(["prompt_id"]))):
        held = None
        for part in read_batches(rows, names, prompts):
            part = part if held is None else pl.concat([held, part])
            last = part["prompt_id"] == part["prompt_id"][-1] if part.height else pl.Series([], dtype=pl.Boolean)
            held, whole = part.filter(last), part.filter(~last)
            if whole.height:
                yield whole
        if held is not None and held.height:
            yield held
        return
    frame = read_all(rows, names, prompts)
    frame = frame.with_row_index("__place").with_columns(pl.col("__place").min().over("prompt_id"))
    frame = frame.sort("__place", maintain_order=True)
    starts = np.unique(np.searchsorted(frame["__place"].to_numpy(), np.arange(0, frame.height, size))).tolist()
    for low, high in pairwise([*(start for start in starts if start < frame.height), frame.height]):
        yield frame[low:high].drop("__place")


def _stand_together(owners: np.ndarray) -> bool:
    """Return whether equal numbers follow one another."""
    runs = int(np.count_nonzero(owners[1:] != owners[:-1])) + min(1, len(owners))
    owners.sort()
    return runs == int(np.count_nonzero(owners[1:] != owners[:-1])) + min(1, len(owners))
