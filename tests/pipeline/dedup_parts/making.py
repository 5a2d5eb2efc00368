"""Rows in a store's files, and ``dedup: minhash`` over them: on one machine, and in parts."""

from pathlib import Path

import polars as pl

from curate.pipeline.dedup import DedupStep, write_in_parts
from curate.pipeline.dedup_parts.sizes import Sizes
from curate.pipeline.row_rule import RowRule
from curate.pipeline.stage_spec import RunContext
from curate.sources.reference_data import ReferenceData
from curate.spread.spread import Runner, run_by
from curate.spread.worker_processes import WorkerProcesses
from curate.steps.find_step import find_step
from curate.storage.row_set import RowSet
from curate.storage.stage import Stage
from curate.storage.store import Store
from schemas.progress import Progress

ONE = WorkerProcesses(1)


def rows_in(store: Store, texts: list[str | None], file: int, scores: list[float | None] | None = None) -> RowSet:
    """Prompts in files of so many rows; their scores are named ``quality``."""
    ids = [f"{number:016x}" for number in range(len(texts))]
    table = pl.DataFrame({"prompt_id": ids, "prompt": pl.Series(texts, dtype=pl.String)})
    with store.new_stage("rows", "prompts.source.rows") as writer:
        for low in range(0, len(texts), file):
            writer.write("prompts", table[low : low + file])
    rows = RowSet("prompts", "prompt_id")
    rows.add(writer.stage())
    if scores is not None:
        values = pl.DataFrame({"row_id": ids, "scorer": "quality", "value": pl.Series(scores, dtype=pl.Float64)})
        with store.new_stage("scores", "prompts.score.quality") as writer:
            writer.write("scores", values)
        rows.scores["quality"] = [writer.stage()]
    return rows


def rule_of(known: list[str] | None = None, **settings) -> RowRule:
    step = find_step("dedup", "minhash")
    reference = None
    if known is not None:
        rows = {"row_id": [f"known-{n}" for n in range(len(known))], "file": "old.jsonl", "text": known}
        table = pl.DataFrame(rows).with_columns(line=pl.int_range(pl.len()) + 1)
        reference = ReferenceData(table, "content")
    by = "quality" if settings.get("keep") == "best" else None
    return RowRule(step, step.defaults | settings, "prompt", by, None, reference)


def decided(
    store: Store,
    rows: RowSet,
    rule: RowRule,
    sizes: Sizes | None,
    condition: str | None = None,
    runner: Runner = ONE,
    name: str = "",
) -> tuple[Stage, str]:
    """The stage of decisions and its result: in parts of these sizes, or on one machine where there are none."""
    name = name or f"dedup{len(list((store.path / 'stages').iterdir()))}"
    columns = ["prompt", "messages", *([rule.by] if rule.by else [])]
    with store.new_stage(name, "prompts.dedup.minhash") as writer, run_by(runner):
        said = write_in_parts(
            writer,
            RunContext(store, Progress()),
            step=DedupStep(
                rows,
                None,
                columns,
                rule,
                condition,
                ["prompt"] if condition else [],
                "prompts.dedup.minhash",
                "r.yaml:3",
            ),
            in_parts=sizes is not None,
            sizes=sizes,
        )
        writer.info["result"] = said
    return writer.stage(), said


def parts_left(store: Store) -> list[Path]:
    return list((store.path / "work").glob("parts-*"))
