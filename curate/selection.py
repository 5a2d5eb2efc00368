"""The verb ``select``: keep the best candidates of each prompt, or a diverse or random choice of the rows."""

from typing import Any

import polars as pl

from curate.embed import embed
from curate.frames import Rows, collect
from curate.settling import said_kept, settle
from curate.steps import Step, find
from curate.store import StageWriter
from curate.walk import Walk
from schemas import recipe as recipes
from schemas.errors import UserError, unknown

EMBEDDER = "minilm"


def select(walk: Walk, rows: Rows, step: recipes.Step, context: Rows | None) -> None:
    """Keep a subset: the best candidates of each prompt, or a diverse or random choice of the rows."""
    where = f"{walk.recipe.path}:{step.line}"
    found = find("select", step.use, where)
    if found.makes == "pair":
        raise UserError(
            f"{where}: select {found.name!r} makes preference pairs; use it in a dataset of type preference"
        )
    given = {k: v for k, v in step.settings.items() if k not in ("on", "by", "model")}
    settings = found.settings(given, where, walk.recipe.seed)
    columns = rows.columns(context)
    column, by = step.settings.get("on", "prompt"), step.settings.get("by")
    embedder = walk.model(step.settings.get("model", EMBEDDER), where) if "embedding" in found.reads else None
    names = [{"score": by, "embedding": column, "text": column}.get(name, name) for name in found.reads]
    if "score" in found.reads and by is None:
        raise UserError(f"{where}: select {found.name!r} goes by a score; name it with 'by'")
    for name in names:
        if name not in columns:
            raise unknown("column to select by", str(name), columns, where)
    if "score" in found.reads and not columns[by].is_numeric():
        numbers = [c for c, t in columns.items() if t.is_numeric()]
        raise UserError(f"{where}: select: by: {by!r} is no number; these are: {', '.join(numbers)}")
    label = walk.label(rows.table, "select", step.name)
    what = {"step": found.name, "settings": settings, "reads": names, "source": found.source,
            "embedder": embedder.identity if embedder else "", "input": rows.depends(names),
            "context": context.depends(names) if context else ""}  # fmt: skip

    def build(writer: StageWriter) -> str:
        walk.report.begin(label, rows.alive.height)
        frame = collect(rows, names, context)
        columns = {r: frame[n] for r, n in zip(found.reads, names, strict=True)}
        if embedder:
            columns["embedding"] = embed(frame[column], embedder, walk.store, walk.report)
        writer.write("decisions", chosen(found, settings, columns, frame[rows.id], label))
        return said_kept(writer, rows)

    settle(walk, rows, label, what, build)


def chosen(
    found: Step, settings: dict[str, Any], columns: dict[str, pl.Series], ids: pl.Series, label: str
) -> pl.DataFrame:
    """Run a ``select`` or ``subset`` step and turn its answer into decisions."""
    more = ("reason", "evidence") if found.makes == "select" else ("nearest", "similarity")
    result = found.decide(columns, settings, ("kept", *more))
    rows = pl.DataFrame({"row_id": ids, "kept": result["kept"]}).with_columns(stage=pl.lit(label))
    if found.makes == "select":
        return rows.with_columns(reason=result["reason"], evidence=result["evidence"])
    near = pl.struct(
        nearest=ids.gather(result["nearest"]), similarity=result["similarity"].round(4)
    ).struct.json_encode()
    return rows.with_columns(
        reason=pl.when(result["kept"]).then(None).otherwise(pl.lit(f"not chosen ({found.name})")),
        evidence=pl.when(result["nearest"].is_null()).then(None).otherwise(near),
    )
