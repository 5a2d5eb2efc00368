"""The verb ``dedup``: duplicates are dropped, with the kept row that each duplicates and how near it is as evidence."""

from collections.abc import Iterator
from functools import partial

import polars as pl

from curate.algorithms.text import same_text
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.row_rule import TURNS, RowRule, read_columns, read_row_rule, rule_code
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps import sql_conditions
from curate.storage.mapped_columns import mapped_texts
from curate.storage.rows import RowSet, read_all, read_batches
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.errors import unknown

SHOWN = 300  # characters of a text that evidence shows


def dedup_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that drops duplicates among rows, and of reference data (``against``).

    Of a conversation all turns are compared, as different ones may end alike. With ``where``, an SQL condition, rows
    for which it does not hold are not compared, and stay.

    Args:
        state: The run's state.
        rows: The rows to deduplicate.
        step: The recipe's step.
        prompts: The prompts of candidates, whose columns the step may name; None where ``rows`` are prompts.

    Raises:
        UserError: A setting, a column or a condition is wrong, or the reference data cannot be read.
    """
    where = state.recipe.step_where(step)
    columns = rows.columns(prompts)
    text_column = step.settings.get("on", "prompt" if rows.table == "prompts" else "response")
    if not isinstance(text_column, str) or columns.get(text_column) != pl.String:
        texts = [name for name, kind in columns.items() if kind == pl.String]
        raise unknown("column (to deduplicate on)", str(text_column), texts, where)
    by = step.settings.get("by")
    if by is not None and not (isinstance(by, str) and by in columns and columns[by].is_numeric()):
        numbers = [name for name, kind in columns.items() if kind.is_numeric()]
        raise unknown("number (to keep the best by) called", str(by), numbers, where)
    condition = step.settings.get("where")
    if condition is not None:
        sql_conditions.check(condition, columns, f"{where}: dedup.where")
    given = {k: v for k, v in step.settings.items() if k not in ("as", "where")}
    rule = read_row_rule(state, "dedup", step.use or "", given, where, text_column)
    label = state.label(rows.table, "dedup", step.name)
    mentioned = sql_conditions.mentioned(condition, list(columns)) if condition else []
    turns = [TURNS[text_column]] if text_column in TURNS else []
    needed = list(dict.fromkeys([text_column, *turns, *([by] if by else []), *mentioned]))
    key = {"rule": rule.key(), "where": condition, **input_key(rows, prompts, needed)}
    build = partial(
        write_duplicates,
        rows=rows,
        prompts=prompts,
        columns=needed,
        rule=rule,
        condition=condition,
        label=label,
        where=where,
    )
    return decision_stage(rows, label, key, build, rule_code(rule))


def write_duplicates(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    columns: list[str],
    rule: RowRule,
    condition: str | None,
    label: str,
    where: str,
) -> str:
    """Write a decision for every row; texts stay on disk while they are compared."""
    run.progress.begin(label, rows.kept_ids.height)
    compared, not_compared = [], []

    def texts_to_compare() -> Iterator[pl.Series]:
        for part in read_batches(rows, columns, prompts):
            if condition:
                holds = sql_conditions.holds(part, condition, f"{where}: dedup.where")
                not_compared.append(part.filter(~holds)[rows.id])
                part = part.filter(holds)
            compared.append(part.select(rows.id, *([rule.by] if rule.by else [])))
            turns = TURNS.get(rule.on)
            several = same_text.as_text(same_text.conversations(part[turns])) if turns else None
            yield part[rule.on] if several is None else several.fill_null(part[rule.on])

    texts = mapped_texts(texts_to_compare(), run.store)
    held = pl.concat(compared) if compared else read_all(rows, columns, prompts)
    score = held[rule.by] if rule.by else None
    decisions, note = duplicate_decisions(run, rule, held[rows.id], texts, score, label)
    writer.write("decisions", decisions)
    for ids in not_compared:
        writer.write("decisions", pl.DataFrame({"row_id": ids}).with_columns(stage=pl.lit(label), kept=True))
    beside = f"; {sum(map(len, not_compared)):,} not compared (where)" if condition else ""
    return kept_summary(writer, rows) + beside + note


def duplicate_decisions(
    run: RunContext, rule: RowRule, ids: pl.Series, texts: pl.Series, score: pl.Series | None, label: str
) -> tuple[pl.DataFrame, str]:
    """Run a dedup step over rows and turn its answer into decisions.

    A dropped row's evidence names the row it duplicates (``of``, or ``file`` and ``line`` of reference data with its
    text) and their ``similarity``; where whole connected clusters are dropped, also the near row ``via`` which it is in
    the cluster.

    Returns:
        A decision for every row, and a note on the result that begins with ``; ``, or "".
    """
    columns = read_columns(run, rule, texts, score)
    result, note = rule.step.decide(columns, rule.settings, ("duplicate_of", "similarity", "via"))
    reference = rule.reference.rows if rule.reference else None
    before = reference.height if reference is not None else 0
    result = result[before:]
    dropped = result["duplicate_of"].is_not_null()
    every_id = pl.concat([reference["row_id"], ids]) if reference is not None else ids
    evidence, near_reference = _evidence(rule, result.filter(dropped), every_id, reference)
    if before:
        note = "; ".join(filter(None, [f"{near_reference:,} near other data ({before:,} rows)", note]))
    reason = "duplicate (exact)" if rule.step.name == "exact" else f"near-duplicate ({rule.step.name})"
    nothing = pl.Series("evidence", [None], dtype=pl.String).new_from_index(0, len(ids))
    decisions = pl.DataFrame(
        {"row_id": ids, "kept": ~dropped, "evidence": nothing.scatter(dropped.arg_true(), evidence)}
    )
    decisions = decisions.with_columns(stage=pl.lit(label), reason=pl.when(~pl.col("kept")).then(pl.lit(reason)))
    return decisions, f"; {note}" if note else ""


def _evidence(
    rule: RowRule, dropped: pl.DataFrame, every_id: pl.Series, reference: pl.DataFrame | None
) -> tuple[pl.Series, int]:
    """Return each dropped row's evidence (JSON text), and how many were dropped for a row of reference data."""
    fields = {"of": every_id.gather(dropped["duplicate_of"]), "similarity": dropped["similarity"].round(4)}
    if rule.settings.get("cluster") == "connected":
        fields["via"] = every_id.gather(dropped["via"])
    as_json = pl.struct(pl.all()).struct.json_encode()
    own = pl.DataFrame(fields).select(evidence=as_json)["evidence"]
    if reference is None:
        return own, 0
    near = dropped["duplicate_of"] < reference.height
    of = dropped["duplicate_of"].filter(near)
    shown = reference[of].select("file", "line", pl.col("text").str.slice(0, SHOWN))
    evidence = shown.hstack(pl.DataFrame(fields).filter(near)).select(evidence=as_json)["evidence"]
    return own.scatter(near.arg_true(), evidence), len(of)
