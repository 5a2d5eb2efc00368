"""The verb ``dedup``: drop duplicates, naming for each the kept row it duplicates and how near it is."""

from typing import Any

import polars as pl

from curate.frames import Rows, collect
from curate.settling import said_kept, settle
from curate.steps import Step, find
from curate.store import StageWriter
from curate.walk import Walk
from schemas import recipe as recipes
from schemas.errors import unknown


def dedup(walk: Walk, rows: Rows, step: recipes.Step, context: Rows | None) -> None:
    """Drop duplicates, naming for each the kept row it duplicates and how near it is."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find("dedup", step.use, where)
    given = dict(step.settings)
    column = given.pop("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(column, str) or column not in rows.columns(context):
        raise unknown("column (to deduplicate on)", str(column), rows.columns(context), where)
    settings = found.settings(given, where, walk.recipe.seed)
    label = walk.label(rows.table, "dedup", step.name)
    what = {"step": found.name, "settings": settings, "on": column, "source": found.source,
            "input": rows.depends([column]), "context": context.depends([column]) if context else ""}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, rows.alive.height)
        frame = collect(rows, [column], context)
        writer.write("decisions", duplicates(found, settings, frame[rows.id], frame[column], label))
        return said_kept(writer, rows)

    settle(walk, rows, label, what, build)


def duplicates(found: Step, settings: dict[str, Any], ids: pl.Series, texts: pl.Series, label: str) -> pl.DataFrame:
    """Run a dedup step and turn its answer into decisions."""
    result = found.decide({found.reads[0]: texts}, settings, ("duplicate_of", "similarity"))
    other, near = result["duplicate_of"], result["similarity"].round(4)
    evidence = pl.struct(of=ids.gather(other), similarity=near).struct.json_encode()
    kept = other.is_null()
    return pl.DataFrame({"row_id": ids, "kept": kept}).with_columns(
        stage=pl.lit(label),
        reason=pl.when(kept).then(None).otherwise(pl.lit(f"near-duplicate ({found.name})")),
        evidence=pl.when(kept).then(None).otherwise(evidence),
    )
