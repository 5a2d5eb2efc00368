"""Writes the decisions of a dataset's parts: where, select, label, dedup, diverse, control."""

import polars as pl

from curate.storage.stage import StageWriter


class DecisionWriter:
    """Writes the decisions of a dataset's parts, each under a stage name of its own."""

    def __init__(self, writer: StageWriter, label: str) -> None:
        """Write through ``writer``, with stage names that begin with ``label``."""
        self.writer, self.label = writer, label

    def write(self, part: str, decisions: pl.DataFrame) -> pl.Series:
        """Write decisions (row_id, kept, reason, evidence) and return ``kept``."""
        self.writer.write("decisions", decisions.with_columns(stage=pl.lit(f"{self.label}.{part}")))
        return decisions["kept"]
