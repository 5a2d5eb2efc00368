"""Stages that decide which rows stay: ``filter``, ``dedup``, ``decontaminate`` and ``select``."""

from collections.abc import Callable
from functools import partial
from typing import Any

from curate.pipeline.stage_spec import RunContext, StageSpec
from curate.steps.code_hash import Code
from curate.storage.rows import RowSet
from curate.storage.stage import Stage, StageWriter


def decision_stage(
    rows: RowSet,
    label: str,
    key: dict[str, Any],
    build: Callable[[StageWriter, RunContext], str],
    code: tuple[Code, ...] = (),
    takes: Callable[[], str] | None = None,
) -> StageSpec:
    """Return the stage whose table ``decisions`` says which of ``rows`` stay; the others are out from then on."""
    return StageSpec(label, key, build, partial(_keep, rows), code, takes=takes)


def _keep(rows: RowSet, stage: Stage | None) -> None:
    if stage:
        rows.keep_decided(stage)


def kept_summary(writer: StageWriter, rows: RowSet) -> str:
    """Return ``280 of 300 kept`` for a stage that has just written its decisions."""
    writer.info["rows_in"] = rows.height
    return f"{writer.kept:,} of {rows.height:,} kept"
