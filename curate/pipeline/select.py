"""The verb ``select``: keep the best candidates of each prompt, or a diverse or random choice of the rows."""

import polars as pl

from curate.algorithms.vectors.diversity import measure
from curate.pipeline.decisions import apply_decisions, kept_summary
from curate.pipeline.pipeline import Walk
from curate.pipeline.row_rule import OF_RULES, RowRule, read_columns, read_row_rule
from curate.storage.rows import RowSet, read_all
from curate.storage.store import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown

SAID = {"covering_radius": "covering radius", "mean_distance": "mean distance", "vendi": "Vendi score"}


def select(walk: Walk, rows: RowSet, step: recipes.Step, context: RowSet | None) -> None:
    """Keep a subset: the best candidates of each prompt, or a diverse or random choice of the rows."""
    where = f"{walk.recipe.path}:{step.line}"
    rule = read_row_rule(
        walk, "select", step.use, {k: v for k, v in step.settings.items() if k != "as"}, where, "prompt"
    )
    needed = _needed(rule, rows.columns(context), where)
    label = walk.label(rows.table, "select", step.name)
    what = {
        "rule": rule.key(),
        "reads": needed,
        "input": rows.depends(needed),
        "context": context.depends(needed) if context else "",
    }

    def build(writer: StageWriter) -> str:
        walk.progress.begin(label, rows.kept_ids.height)
        frame = read_all(rows, needed, context)
        columns = {name: frame[name] for name in rule.step.reads if name not in OF_RULES}
        columns |= read_columns(walk, rule, frame[rule.on], frame[rule.by] if rule.by else None)
        decided, said = chosen(walk, rule, columns, frame[rows.id], label, writer)
        writer.write("decisions", decided)
        return kept_summary(writer, rows) + said

    apply_decisions(walk, rows, label, what, build)


def _needed(rule: RowRule, columns: dict[str, pl.DataType], where: str) -> list[str]:
    """The columns to read for a rule. Raises ``UserError`` for one that is not there, or is no number where it must."""
    step = rule.step
    if step.makes == "pair":
        raise UserError(f"{where}: select {step.name!r} makes preference pairs; use it in a dataset of type preference")
    if step.makes == "select" and "score" in step.reads and rule.by is None:
        raise UserError(f"{where}: select {step.name!r} goes by a score; name it with 'by'")
    names = [rule.on, *([rule.by] if rule.by is not None else []), *(n for n in step.reads if n not in OF_RULES)]
    for name in names:
        if not isinstance(name, str) or name not in columns:
            raise unknown("column to select by", str(name), columns, where)
    if rule.by is not None and not columns[rule.by].is_numeric():
        numbers = [c for c, t in columns.items() if t.is_numeric()]
        raise UserError(f"{where}: select: by: {rule.by!r} is no number; these are: {', '.join(numbers)}")
    return list(dict.fromkeys(names))


def chosen(
    walk: Walk, rule: RowRule, columns: dict[str, pl.Series], ids: pl.Series, label: str, writer: StageWriter
) -> tuple[pl.DataFrame, str]:
    """Run a ``select`` or ``subset`` step and turn its answer into decisions; returns them, and what to say beside.

    Where it went by embeddings, how diverse the kept rows are, and as many random ones, is written to ``diversity``.
    """
    step = rule.step
    more = ("reason", "evidence") if step.makes == "select" else ("nearest", "similarity", "cluster")
    result, said = step.decide(columns, rule.settings, ("kept", *more))
    kept = result["kept"]
    rows = pl.DataFrame({"row_id": ids, "kept": kept}).with_columns(stage=pl.lit(label))
    if step.makes == "select":
        return rows.with_columns(reason=result["reason"], evidence=result["evidence"]), f"; {said}" if said else ""
    told = {"nearest": ids.gather(result["nearest"]), "similarity": result["similarity"].cast(pl.Float64).round(4)}
    if result["cluster"].dtype != pl.Null:
        told["cluster"] = result["cluster"]
    if "embedding" in columns and kept.any():
        measured = measure(columns["embedding"], kept, walk.recipe.seed)
        writer.write("diversity", measured.with_columns(stage=pl.lit(label)))
        said = "; ".join(filter(None, [said, _said(measured)]))
    return rows.with_columns(
        reason=pl.when("kept").then(None).otherwise(pl.lit(f"not chosen ({step.name})")),
        evidence=pl.when(result["nearest"].is_null()).then(None).otherwise(pl.struct(**told).struct.json_encode()),
    ), f"; {said}" if said else ""


def _said(measured: pl.DataFrame) -> str:
    """``mean distance 0.41 (random 0.45), Vendi score 38.1 (31.0)``."""
    of = {name: measured.filter(pl.col("set") == name).row(0, named=True) for name in ("kept", "random")}
    return ", ".join(f"{name} {of['kept'][key]:.4g} (random {of['random'][key]:.4g})" for key, name in SAID.items())
