"""What each verb of a recipe does to the rows: read them, filter.

Each function takes the walk, the rows it works on and the step of the recipe; it checks the step's settings against
the step's own signature first, so that planning finds every mistake before anything is spent.
"""

from typing import Any

import polars as pl

from curate.pipeline.decisions import apply_decisions, kept_summary
from curate.pipeline.pipeline import Walk, source_path
from curate.sources.hub import is_hub_name
from curate.sources.read_source import read_source
from curate.steps import sql_conditions as conditions
from curate.steps.registry import HERE as CURATE
from curate.steps.registry import source_hash
from curate.storage.rows import RowSet, read_batches
from curate.storage.store import StageWriter, file_hash
from schemas import recipe as recipes
from schemas.errors import UserError, unknown
from schemas.ids import fingerprint


def source(walk: Walk, step: recipes.Step) -> None:
    """Read a source file into prompts, recorded candidates and their recorded scores."""
    where = f"{walk.recipe.path}:{step.line}"
    settings = dict(step.settings)
    path = settings.pop("path")
    known = ("fields", "on_error", "name", "limit", "hub")
    for key in settings:
        if key not in known:
            raise unknown("setting of source called", key, known, where)
    file = source_path(walk.recipe, str(path))
    label = walk.label("prompts", "source", str(settings.get("name") or file.stem))
    what = {"settings": settings, "source": source_hash(CURATE / "sources/read_source.py")}
    if file.is_file():
        found, what["content"] = None, file_hash(file)
    else:  # a hub data set (or a mistake, which read_source explains): known by its rows, whose ids are their content
        found = _read(walk, str(path) if is_hub_name(str(path)) else file, settings, where)
        what["content"] = fingerprint(
            [found.prompts["prompt_id"].to_list(), found.completions["completion_id"].to_list()]
        )

    def build(writer: StageWriter) -> str:
        rows = found or _read(walk, file, settings, where)
        writer.write("prompts", rows.prompts)
        for table, part in (("completions", rows.completions), ("scores", rows.scores)):
            if part.height:
                writer.write(table, part)
        if rows.decisions.height:
            writer.write("decisions", rows.decisions.with_columns(stage=pl.lit(label)))
        writer.info["rows_in"] = rows.prompts.height + rows.decisions.height
        return _said_source(rows)

    stage = walk.stage(label, what, build, cheap=True)
    if stage:
        walk.prompts.add(stage)
        walk.completions.add(stage)
        for name in stage.read("scores", ["scorer"])["scorer"].unique(maintain_order=True):
            walk.completions.scores.setdefault(name, []).append(stage)


def _read(walk: Walk, path: Any, settings: dict[str, Any], where: str) -> Any:
    try:
        return read_source(path, **settings)
    except TypeError as error:
        raise UserError(f"{where}: source: {error}") from error


def _said_source(found: Any) -> str:
    parts = [f"{found.prompts.height:,} prompts"]
    if found.completions.height:
        parts.append(f"{found.completions.height:,} recorded completions")
    if found.decisions.height:
        repeats = found.decisions["reason"].str.contains("^(exact copy|same prompt)").sum()
        refused = found.decisions.height - repeats
        parts += [
            f"{count:,} {what}" for count, what in ((repeats, "repeats joined"), (refused, "rows refused")) if count
        ]
    return ", ".join(parts) + f" ({', '.join(sorted(found.row_formats))})"


def filter_(walk: Walk, rows: RowSet, step: recipes.Step, context: RowSet | None) -> None:
    """Drop the rows for which a condition holds; the condition's name is the reason."""
    where = f"{walk.recipe.path}:{step.line}"
    columns = rows.columns(context)
    label = walk.label(rows.table, "filter")
    needed = []
    for reason, condition in step.settings.items():
        conditions.check(condition, columns, f"{where}: filter.{reason}")
        needed += conditions.mentioned(condition, list(columns))
    what = {
        "settings": step.settings,
        "order": [*step.settings],
        "input": rows.depends(needed),
        "context": context.depends(needed) if context else "",
    }

    def build(writer: StageWriter) -> str:
        walk.progress.begin(label, rows.kept_ids.height)
        for batch in read_batches(rows, list(dict.fromkeys(needed)), context):
            reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, batch.height)
            for name, condition in reversed(step.settings.items()):  # so that the first that holds is the one named
                hit = conditions.holds(batch, condition, f"{where}: filter.{name}")
                reason = pl.select(pl.when(hit).then(pl.lit(name)).otherwise(reason).alias("reason")).to_series()
            writer.write(
                "decisions",
                pl.DataFrame(
                    {
                        "row_id": batch[rows.id],
                        "kept": reason.is_null(),
                        "reason": reason,
                        "stage": pl.select(pl.repeat(label, batch.height)).to_series(),
                    }
                ),
            )
            walk.progress.advance(batch.height)
        return kept_summary(writer, rows)

    apply_decisions(walk, rows, label, what, build)
