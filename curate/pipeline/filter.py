"""The verb ``filter``: rows for which an SQL condition holds are dropped, with the condition's name as the reason."""

from functools import partial

import polars as pl

from curate.pipeline.by_hand import kept_by_hand, without_kept
from curate.pipeline.decisions import decision_stage, kept_summary
from curate.pipeline.run_state import RunState
from curate.pipeline.stage_spec import RunContext, StageSpec, input_key
from curate.steps import sql_conditions
from curate.storage.rows import RowSet, read_batches
from curate.storage.stage import StageWriter
from schemas import recipe as recipes
from schemas.ids import fingerprint


def filter_stage(state: RunState, rows: RowSet, step: recipes.Step, prompts: RowSet | None) -> StageSpec:
    """Return the stage that drops rows by the step's conditions.

    Args:
        state: The run's state.
        rows: The rows to filter.
        step: The recipe's step: a mapping of reason to SQL condition.
        prompts: The prompts of candidates, whose columns a condition may name; None where ``rows`` are prompts.

    Raises:
        UserError: A condition is not valid SQL over the rows' columns.
    """
    where = state.recipe.step_where(step)
    columns = rows.columns(prompts)
    label = state.label(rows.table, "filter")
    needed: list[str] = []
    for reason, condition in step.settings.items():
        sql_conditions.check(condition, columns, f"{where}: filter.{reason}")
        needed += sql_conditions.mentioned(condition, list(columns))
    needed = list(dict.fromkeys(needed))
    kept = kept_by_hand(state, rows)
    key = {"settings": step.settings, "order": [*step.settings], **input_key(rows, prompts, needed)}
    key |= {"kept_by_hand": fingerprint(kept)} if kept else {}
    build = partial(
        write_filter_decisions,
        rows=rows,
        prompts=prompts,
        columns=needed,
        conditions=step.settings,
        label=label,
        where=where,
        kept=kept,
    )
    return decision_stage(rows, label, key, build)


def write_filter_decisions(
    writer: StageWriter,
    run: RunContext,
    *,
    rows: RowSet,
    prompts: RowSet | None,
    columns: list[str],
    conditions: dict[str, str],
    label: str,
    where: str,
    kept: list[str],
) -> str:
    """Write a decision for every row; a row that several conditions drop has the first one's name as its reason.

    No condition drops a row that is ``kept`` by hand; its evidence names the condition that would have.
    """
    run.progress.begin(label, rows.height)
    for batch in read_batches(rows, columns, prompts):
        reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, batch.height)
        for name, condition in reversed(conditions.items()):
            holds = sql_conditions.holds(batch, condition, f"{where}: filter.{name}")
            reason = pl.select(pl.when(holds).then(pl.lit(name)).otherwise(reason).alias("reason")).to_series()
        decisions = batch.select(row_id=rows.id).with_columns(reason, stage=pl.lit(label))
        if kept:
            decisions = without_kept(decisions, kept)
        writer.write("decisions", decisions.with_columns(kept=pl.col("reason").is_null()))
        run.progress.advance(batch.height)
    return kept_summary(writer, rows)
