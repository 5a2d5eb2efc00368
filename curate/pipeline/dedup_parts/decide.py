"""Phase 6: the decisions about a part of the rows are written, with the evidence about those that are dropped."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from curate.pipeline.dedup_parts.texts import Part
from curate.storage.damage import read_table
from curate.storage.files import sync_all
from curate.storage.row_spans import read_span
from curate.storage.stage import PartFile, write_files


@dataclass(frozen=True)
class DecideTask:
    """A part to decide about.

    Attributes:
        part: The part.
        id: The column of ids.
        dropped: The Parquet file of the rows that are dropped: ``at`` in the part, and their ``evidence``; "" for none.
        label: The stage's label.
        reason: The reason of a dropped row.
        folder: The folder for the files.
        durable: Whether they are to be there after a power cut.
    """

    part: Part
    id: str
    dropped: str
    label: str
    reason: str
    folder: str
    durable: bool


def write_decisions(task: DecideTask) -> list[PartFile]:
    """Write the decisions about a part; return the files."""
    ids = pl.concat([frame[task.id] for frame in read_span(task.part.files, [task.id])], rechunk=True)
    empty = pl.DataFrame(schema={"at": pl.Int64, "evidence": pl.String})
    dropped = read_table(Path(task.dropped)) if task.dropped else empty
    rows = decisions(ids, dropped["at"].to_numpy(), dropped["evidence"], task.label, task.reason)
    files = write_files(Path(task.folder), f"{task.part.place:06d}", "decisions", rows)
    if task.durable:
        sync_all(Path(file.path) for file in files)
    return files


def decisions(ids: pl.Series, dropped: np.ndarray, evidence: pl.Series, label: str, reason: str) -> pl.DataFrame:
    """Return a decision for each of some rows.

    Args:
        ids: The rows' ids.
        dropped: Which of them are dropped, as numbers in ``ids``.
        evidence: The evidence about these.
        label: The stage's label.
        reason: The reason of a dropped row.
    """
    kept = np.ones(len(ids), bool)
    kept[dropped] = False
    told = pl.Series("evidence", [None], dtype=pl.String).new_from_index(0, len(ids)).scatter(dropped, evidence)
    rows = pl.DataFrame({"row_id": ids.alias("row_id"), "kept": kept, "evidence": told})
    why = pl.when(~pl.col("kept")).then(pl.lit(reason))
    return rows.with_columns(stage=pl.lit(label), reason=why).rechunk()  # the same rows are the same bytes
