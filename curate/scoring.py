"""The verb ``score``: calling a scorer on the rows, batch by batch; its value is a column from then on."""

from typing import Any

import polars as pl

from curate.frames import Rows, batches
from curate.steps import Step, find
from curate.store import StageWriter
from curate.walk import Walk
from schemas import recipe as recipes
from schemas.errors import UserError

# What a condition may name beside the columns: the split, and what a prompt's candidates come to.
TAKEN = ("split", "pass_rate", "n_completions")


def score(walk: Walk, rows: Rows, step: recipes.Step, context: Rows | None) -> None:
    """Score every row; the value is a column of this name from here on."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find("score", step.use, where)
    settings = found.settings({k: v for k, v in step.settings.items() if k != "as"}, where, walk.recipe.seed)
    columns = rows.columns(context)
    if step.name.lower() in [c.lower() for c in (*columns, *TAKEN)]:  # SQL takes no notice of case
        raise UserError(f"{where}: a column {step.name!r} exists already; give this score another name with 'as'")
    found.check_reads(list(columns), where)
    label = walk.label(rows.table, "score", step.name)
    reads = list(found.reads)
    what = {"step": found.name, "settings": settings, "name": step.name, "source": found.source,
            "input": rows.depends(reads), "context": context.depends(reads) if context else ""}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, rows.alive.height)
        total, failed, mean = 0, 0, 0.0
        for batch in batches(rows, list(found.reads), context):
            scored = run_scorer(found, settings, batch, where)
            writer.write("scores", scored.with_columns(row_id=batch[rows.id], scorer=pl.lit(step.name)))
            total, failed = total + batch.height, failed + scored["value"].null_count()
            mean += float(scored["value"].sum() or 0.0)
            walk.report.advance(batch.height)
        writer.info["rows_in"] = total
        good = total - failed
        return (
            f"{good:,} scored"
            + (f", mean {mean / good:.3f}" if good else "")
            + (f", {failed:,} null" if failed else "")
        )

    stage = walk.stage(label, what, build)
    rows.scores[step.name] = [stage] if stage else []


def run_scorer(found: Step, settings: dict[str, Any], batch: pl.DataFrame, where: str) -> pl.DataFrame:
    """Call a scorer on a frame and return its ``value``, ``error`` and ``detail``; a NaN is null with an error.

    Raises ``UserError`` if the scorer raises or returns another number of rows.
    """
    try:
        result = found.call({name: batch[name] for name in found.reads}, settings)
        frame = result if isinstance(result, pl.DataFrame) else pl.DataFrame({"value": result})
        frame = frame.with_columns(pl.col("value").cast(pl.Float64)) if "value" in frame.columns else frame
    except Exception as error:
        raise UserError(f"{where}: score {found.name!r} failed: {type(error).__name__}: {error}") from error
    if frame.height != batch.height or "value" not in frame.columns:
        raise UserError(
            f"{where}: score {found.name!r} returned {frame.height} rows with the columns "
            f"{', '.join(frame.columns)}; expected {batch.height} with 'value'"
        )
    for name in ("error", "detail"):
        if name not in frame.columns:
            frame = frame.with_columns(pl.lit(None, pl.String).alias(name))
    bad = pl.col("value").is_nan().fill_null(False) | pl.col("value").is_infinite().fill_null(False)
    missing = pl.when(bad).then(pl.lit("not a number")).when(pl.col("value").is_null()).then(
        pl.coalesce("error", pl.lit("no value"))).otherwise(pl.col("error"))  # fmt: skip
    return frame.select(
        pl.when(bad).then(None).otherwise(pl.col("value")).alias("value"), missing.alias("error"), "detail"
    )
