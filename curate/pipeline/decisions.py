"""How a stage that decides which rows stay is reused or made, and what is said of it."""

from typing import Any

import polars as pl

from curate.pipeline.pipeline import Walk
from curate.storage.rows import RowSet
from curate.storage.store import StageWriter


def apply_decisions(walk: Walk, rows: RowSet, label: str, what: dict[str, Any], build: Any) -> None:
    """Reuse or make a stage that decides which rows stay, and let only those go on."""
    stage = walk.stage(label, what, build)
    if stage:
        kept = stage.read("decisions", ["row_id", "kept"]).filter("kept").select(pl.col("row_id").alias(rows.id))
        rows.keep(kept, stage)


def kept_summary(writer: StageWriter, rows: RowSet) -> str:
    """``280 of 300 kept`` for a stage that has just written its decisions."""
    files = [writer.folder / name for name in writer.tables.get("decisions", {}).get("files", [])]
    kept = sum(int(pl.read_parquet(f, columns=["kept"])["kept"].sum()) for f in files)
    writer.info["rows_in"] = rows.kept_ids.height
    return f"{kept:,} of {rows.kept_ids.height:,} kept"
