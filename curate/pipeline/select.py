"""The verb ``select``: the best candidates of each prompt stay, or a diverse or random choice of the rows."""

from functools import partial
from typing import Any

import polars as pl

from curate.algorithms.vectors.diversity import measure
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.row_rule import RULE_COLUMNS, RowRule, read_columns, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.storage.rows import RowSet, read_all
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.errors import UserError, unknown

FIGURES = {"covering_radius": "covering radius", "mean_distance": "mean distance", "vendi": "Vendi score"}


def select_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that keeps a subset of rows.

    Args:
        state: The run's state.
        rows: The rows to choose from.
        step: The recipe's step.
        prompts: The prompts of candidates, whose columns the step may read; None where ``rows`` are prompts.

    Raises:
        UserError: A setting or a column is wrong.
    """
    where = state.recipe.step_where(step)
    given = {k: v for k, v in step.settings.items() if k != "as"}
    rule = read_row_rule(state, "select", step.use or "", given, where, "prompt")
    needed = _needed_columns(rule, rows.columns(prompts), where)
    label = state.label(rows.table, "select", step.name)
    key = {"rule": rule.key(), "reads": needed, **input_key(rows, prompts, needed)}
    build = partial(
        write_selection,
        rows=rows,
        prompts=prompts,
        columns=needed,
        rule=rule,
        seed=state.recipe.seed,
        label=label,
    )
    return decision_stage(rows, label, key | {"seed": state.recipe.seed}, build, rule_code(rule))


def write_selection(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    columns: list[str],
    rule: RowRule,
    seed: int,
    label: str,
) -> str:
    """Write a decision for every row, and how diverse the kept ones are where the step reads embeddings."""
    run.progress.begin(label, rows.height)
    frame = read_all(rows, columns, prompts)
    read = {name: frame[name] for name in rule.step.reads if name not in RULE_COLUMNS}
    read |= read_columns(run, rule, frame[rule.on], frame[rule.by] if rule.by else None)
    decisions, note = subset_decisions(rule, read, frame[rows.id], label, writer, seed)
    writer.write("decisions", decisions)
    return kept_summary(writer, rows) + note


def _needed_columns(rule: RowRule, columns: dict[str, pl.DataType], where: str) -> list[str]:
    """Return the columns to read for a rule. Raises ``UserError`` for one that is missing, or is no number."""
    step = rule.step
    if step.makes == "pair":
        raise UserError(f"{where}: select {step.name!r} makes preference pairs; use it in a dataset of type preference")
    if step.makes == "select" and "score" in step.reads and rule.by is None:
        raise UserError(f"{where}: select {step.name!r} needs a score; name it with 'by'")
    by = [rule.by] if rule.by is not None else []
    names = [rule.on, *by, *(name for name in step.reads if name not in RULE_COLUMNS)]
    for name in names:
        if not isinstance(name, str) or name not in columns:
            raise unknown("column to select by", str(name), columns, where)
    if rule.by is not None and not columns[rule.by].is_numeric():
        numbers = [name for name, kind in columns.items() if kind.is_numeric()]
        raise UserError(f"{where}: select: by: {rule.by!r} is no number; these are: {', '.join(numbers)}")
    return list(dict.fromkeys(names))


def subset_decisions(
    rule: RowRule, columns: dict[str, pl.Series], ids: pl.Series, label: str, writer: StageWriter, seed: int
) -> tuple[pl.DataFrame, str]:
    """Run a ``select`` or ``subset`` step and turn its answer into decisions.

    Where it reads embeddings, the diversity of the kept rows, and of as many random ones, is written to ``diversity``.

    Returns:
        A decision for every row, and a note on the result that begins with ``; ``, or "".
    """
    step = rule.step
    more = ("reason", "evidence") if step.makes == "select" else ("nearest", "similarity", "cluster")
    result, note = step.decide(columns, rule.settings, ("kept", *more))
    kept = result["kept"]
    rows = pl.DataFrame({"row_id": ids, "kept": kept}).with_columns(stage=pl.lit(label))
    if step.makes == "select":
        return rows.with_columns(reason=result["reason"], evidence=result["evidence"]), f"; {note}" if note else ""
    fields: dict[str, Any] = {
        "nearest": ids.gather(result["nearest"]),
        "similarity": result["similarity"].cast(pl.Float64).round(4),
    }
    if result["cluster"].dtype != pl.Null:
        fields["cluster"] = result["cluster"]
    if "embedding" in columns and kept.any():
        measured = measure(columns["embedding"], kept, seed)
        writer.write("diversity", measured.with_columns(stage=pl.lit(label)))
        note = "; ".join(filter(None, [note, _diversity_summary(measured)]))
    evidence = pl.when(result["nearest"].is_null()).then(None).otherwise(pl.struct(**fields).struct.json_encode())
    reason = pl.when("kept").then(None).otherwise(pl.lit(f"not chosen ({step.name})"))
    return rows.with_columns(reason=reason, evidence=evidence), f"; {note}" if note else ""


def _diversity_summary(measured: pl.DataFrame) -> str:
    """Return ``mean distance 0.41 (random 0.45), Vendi score 38.1 (31.0)``."""
    of = {name: measured.filter(pl.col("set") == name).row(0, named=True) for name in ("kept", "random")}
    return ", ".join(f"{name} {of['kept'][key]:.4g} (random {of['random'][key]:.4g})" for key, name in FIGURES.items())
